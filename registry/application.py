"""The ASGI application of one worker: the distribution API on the hot path, everything else through Starlette."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from registry.admin.callers import Callers
from registry.admin.late import Late
from registry.api.app import Application as ASGIApp
from registry.api.app import DistributionApi
from registry.api.authenticate import Authenticator, Challenges
from registry.api.bodies import Memory
from registry.api.errors import refuse
from registry.api.last_use import LastUse
from registry.api.messages import Answer, Receive, Scope, Send
from registry.api.password_checks import PasswordChecks
from registry.api.pulls import Pulls
from registry.api.recorder import Recorder
from registry.api.request_limits import RequestLimits
from registry.api.services import Services, Threads, Writer
from registry.api.tokens import TokenService
from registry.auth.browser_keys import BrowserKeys
from registry.auth.keeper import KeyKeeper
from registry.auth.passwords import Passwords
from registry.auth.tokens import Tokens, VerifiedTokens
from registry.background import Background
from registry.config import Settings
from registry.core.access import PULL_BY_ANYONE, Access
from registry.core.accounts import residents_of
from registry.core.auditing import AuditService
from registry.core.blobs import BlobService
from registry.core.collect_plan import Plan
from registry.core.collector_service import CollectorService
from registry.core.credentials import CredentialService
from registry.core.explained_usage import UsageService
from registry.core.granting import GrantService
from registry.core.logins import LoginLimits, LoginThrottle
from registry.core.manifests import ManifestService
from registry.core.people import PeopleService
from registry.core.ports import Metadata, ObjectStore, Reader, Recognition
from registry.core.protection import Protection
from registry.core.quota_service import QuotaService
from registry.core.repositories import RepositoryService
from registry.core.repository_rights import RepositoryRights
from registry.core.retaining import RetentionPlanner
from registry.core.ruling import RuleService
from registry.core.scrub_status import ScrubService
from registry.core.searching import SearchService
from registry.core.tag_rules import RuleKind
from registry.core.undo import UndoService
from registry.core.uploads import UploadService
from registry.core.witness import Witness
from registry.entrance import Entrance, directories_of, sources_of
from registry.oci.errors import RegistryError
from registry.storage.hashing import hashes
from registry.storage.layout import new_key

_LOOKUPS: Final = ("GET", "HEAD")


class Facts(Metadata, Writer, Protocol):
    """Facts, by whoever waits for them and by whoever is told."""

    def close(self) -> None:
        """Give the connections back; what was submitted is still written."""
        ...


class Lookups(Reader, Recognition, Protocol):
    """All that a request asks before it does anything."""


@dataclass(frozen=True, slots=True)
class Drivers:
    """What one process keeps facts and bytes with, and asks on the pull path."""

    metadata: Facts
    reader: Lookups
    store: ObjectStore
    close_reader: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one worker sees on the path of requests, and keeps when nobody waits for it."""

    last_use: LastUse
    pulls: Pulls

    @property
    def refreshing(self) -> tuple[Callable[[], None], ...]:
        """Each keeps what is due, whether another one fails or not."""
        return self.last_use.refresh, self.pulls.refresh

    def close(self) -> None:
        """Keep all of it."""
        for each in (self.last_use, self.pulls):
            each.close()


class Application:
    """The whole of HTTP: `/v2/` to the distribution API, `/api/v1/` to the administration's, all else to Starlette."""

    def __init__(
        self, settings: Settings, drivers: Drivers, keeper: KeyKeeper, background: Background, gathered: Gathered
    ) -> None:
        """The database is prepared, and the keeper has its keys."""
        self._drivers = drivers
        self._background = background
        self._gathered = gathered
        self._in_thread = Threads(settings.threads)
        residents = residents_of(drivers.metadata)
        access = Access()
        # Pages and limits tell it too.
        self._witness = Recorder(drivers.metadata, residents.anonymous)
        tokens = Tokens(settings.service, settings.service, keeper.ring)
        sources = sources_of(settings)
        authenticator = self._authenticator = Authenticator(
            drivers.reader,
            PasswordChecks(
                drivers.metadata,
                Passwords(),
                _login_throttle(settings, drivers.metadata),
                directories_of(sources, drivers.metadata),
            ),
            residents,
            VerifiedTokens(tokens),
            is_open=settings.open,
            always=(PULL_BY_ANYONE,) if settings.anonymous_pull else (),
            witness=self._witness,
            last_use=gathered.last_use,
        )
        services = _services(settings, drivers, access, gathered.pulls, self._in_thread)
        challenges = Challenges(settings.service, settings.public_url)
        limits = RequestLimits(settings.requests_per_caller, settings.requests_anonymous)
        self._distribution = DistributionApi(services, authenticator, challenges, self._witness, limits)
        token_service = TokenService(
            authenticator,
            tokens,
            access,
            CredentialService(drivers.metadata),
            self._in_thread,
            settings.service,
            settings.token_lifetime,
            settings.refresh_lifetime,
            self._witness,
        )
        self._entrance = Entrance(
            settings, sources, authenticator, drivers.metadata, BrowserKeys.of(keeper.key_file),
            residents.anonymous, self._witness, self._in_thread,
        )  # fmt: skip
        make = partial(
            _administration,
            settings,
            drivers.metadata,
            Callers(authenticator, limits.count),
            self._in_thread,
            self._witness,
        )
        self._administration = Late(make, self._in_thread)
        self._rest = self._starlette(token_service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The hot path first, ahead of every framework."""
        if scope["type"] == "http" and (scope["path"].startswith("/v2/") or scope["path"] == "/v2"):
            if scope["path"] == "/v2":
                scope["path"] = "/v2/"
            await self._distribution(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith("/api/v1/"):
            await self._administration(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    def at_once(self, scope: Scope, asked_again: bool) -> Answer | ASGIApp:
        """What can be answered without waiting, before there is a task for it; see the server's `prompt`."""
        if self._drivers.reader.is_prompt and scope["method"] in _LOOKUPS and scope["path"].startswith("/v2/"):
            return self._distribution.at_once(scope, asked_again=asked_again)
        return self

    def _starlette(self, tokens: TokenService) -> Starlette:
        async def health(_: Request) -> JSONResponse:
            # By the pull path's own connection: what answers here can serve.
            await self._drivers.reader.credential(0)
            return JSONResponse({"status": "ok"})

        routes = [
            Route("/healthz", health),
            *tokens.routes(),
            *self._entrance.routes(),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan, exception_handlers={RegistryError: refuse})

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        background = asyncio.create_task(self._background.run(self._in_thread))
        try:
            yield
        finally:
            background.cancel()
            await asyncio.gather(background, return_exceptions=True)
            self._entrance.close()
            self._authenticator.close()
            await self._witness.close()
            await self._in_thread(self._gathered.close)
            self._in_thread.close()
            await self._drivers.close_reader()
            self._drivers.metadata.close()


def _services(settings: Settings, drivers: Drivers, access: Access, pulls: Pulls, in_thread: Threads) -> Services:
    metadata, store = drivers.metadata, drivers.store
    excepted = (settings.s3_redirect_except or "").split(",")
    return Services(
        reader=drivers.reader,
        writer=metadata,
        store=store,
        access=access,
        uploads=UploadService(metadata, store, hashes(), _new_id, new_key, settings.lease, settings.upload_expiry),
        blobs=BlobService(metadata, store, settings.lease, settings.sparse),
        manifests=ManifestService(metadata, settings.lease, settings.undo_window, settings.sparse),
        pulls=pulls,
        in_thread=in_thread,
        manifest_limit=settings.manifest_limit,
        memory=Memory(settings.upload_memory),
        not_redirected=tuple(word.strip() for word in excepted if word.strip()),
    )


def _administration(
    settings: Settings, metadata: Facts, callers: Callers, in_thread: Threads, witness: Witness
) -> ASGIApp:
    # Late: FastAPI would cost each worker 20 MiB for life, and most are never asked for it.
    from registry.admin.app import create
    from registry.admin.services import Administration

    access, protection = Access(), Protection()
    administration = Administration(
        callers=callers,
        people=PeopleService(metadata),
        grants=GrantService(metadata, settings.anonymous_pull),
        credentials=CredentialService(metadata),
        search=SearchService(metadata, access),
        may=RepositoryRights(access),
        repositories=RepositoryService(metadata, settings.undo_window, protection),
        undo=UndoService(metadata, settings.undo_window, protection, settings.sparse),
        quotas=QuotaService(metadata),
        usage=UsageService(metadata, settings.undo_window),
        audit=AuditService(metadata),
        scrub=ScrubService(metadata, settings.scrub_every),
        immutable_rules=RuleService(metadata, RuleKind.IMMUTABLE),
        retention_rules=RuleService(metadata, RuleKind.RETENTION),
        retention=RetentionPlanner(metadata, protection),
        collector=CollectorService(metadata, settings.delete_delay),
        plan=Plan(metadata, settings.undo_window),
        in_thread=in_thread,
        witness=witness,
    )
    return create(administration, version("entrepot"))


def _login_throttle(settings: Settings, metadata: Metadata) -> LoginThrottle:
    limits = LoginLimits(settings.login_attempts, settings.login_attempts_source, settings.login_interval)
    return LoginThrottle(metadata, limits)


def _new_id() -> str:
    return str(uuid.uuid4())
