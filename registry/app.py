"""Where drivers meet rules: the only file that names a concrete driver.

prepare   once per start, before any worker: database migrated, folder and instance matched, key and accounts there
build     once per worker: connections, services, the ASGI application, and its background work
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import threading
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from registry import log
from registry.api.app import Application as ASGIApp
from registry.api.app import DistributionApi
from registry.api.authenticate import Authenticator, Challenges
from registry.api.bodies import Memory
from registry.api.messages import Answer, Receive, Scope, Send
from registry.api.services import Services, Threads
from registry.api.tokens import TokenService
from registry.auth import passwords
from registry.auth.keeper import KeyKeeper
from registry.auth.key_file import KeyFile
from registry.auth.passwords import Passwords
from registry.auth.tokens import Tokens, VerifiedTokens
from registry.background import Background
from registry.config import Settings
from registry.core.access import Access
from registry.core.accounts import settle
from registry.core.blobs import BlobService
from registry.core.manifests import ManifestService
from registry.core.sweep import Sweeper
from registry.core.tenure import Tenure
from registry.core.uploads import UploadService
from registry.metadata.reader import SqliteReader
from registry.metadata.sqlite import SqliteMetadata
from registry.server.worker import worker_index
from registry.storage.durable import make_folder
from registry.storage.filesystem import FilesystemStore
from registry.storage.hashing import hashes
from registry.storage.layout import Layout, new_key
from registry.web import page

_LOOKUPS: Final = ("GET", "HEAD")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data folder that can be served; `admin_password` is set when the account was made, and generated, just now."""

    admin_password: str | None


def migrate(settings: Settings) -> str:
    """Bring the database to this program's schema; the revision reached. Raises: SchemaUnknown."""
    # Late: what only a start needs would cost each worker 20 MiB for life.
    from registry.metadata import migrate as migrations

    make_folder(settings.data)
    return migrations.migrate(_database(settings))


def prepare(settings: Settings) -> Prepared:
    """All that a first start makes and every start checks. Raises: SchemaUnknown, LayoutInvalid, InstanceMismatch."""
    migrate(settings)
    metadata = SqliteMetadata(_database(settings))
    try:
        instance = metadata.transact(lambda tx: tx.accounts.setting("instance", str(uuid.uuid4())))
        Layout.load_or_create(settings.data, instance)
        password = settings.admin_password or passwords.generate()
        _, is_new = settle(metadata, lambda: Passwords().hash(password))
        _key_keeper(settings, metadata).refresh(datetime.now(UTC))
    finally:
        metadata.close()
    return Prepared(password if is_new and settings.admin_password is None and not settings.open else None)


def create_app(settings: Settings) -> Application:
    """An ASGI application for these settings, alone in its process."""
    prepare(settings)
    return Application(settings, is_first=True)


def create_app_from_environ() -> Application:
    """The same for one worker of several: the settings as its parent passed them on, the folder already prepared."""
    settings = Settings.load(environ=os.environ)
    log.configure(settings.log_format, settings.log_level)
    # Threads that hash and write come back for the interpreter after each call into the kernel; by default they would
    # wait 5 ms for it, each time, behind the event loop.
    sys.setswitchinterval(0.0005)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Connections, and files kept open for reading, soon are more than the thousand of old.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return Application(settings, is_first=worker_index() == 0)


def work(settings: Settings, stop: threading.Event) -> None:
    """Background work without serving, until `stop`; the folder is prepared."""
    metadata = SqliteMetadata(_database(settings))
    try:
        sweeper = _sweeper(settings, metadata, FilesystemStore(settings.data))
        background = Background((), sweeper, settings.sweep_interval)
        while not stop.wait(settings.sweep_interval.total_seconds()):
            background.once()
    finally:
        metadata.close()


class Application:
    """The whole of HTTP: `/v2/` to the distribution API, everything else to Starlette."""

    def __init__(self, settings: Settings, *, is_first: bool) -> None:
        metadata = self._metadata = SqliteMetadata(_database(settings))
        self._in_thread = Threads(settings.threads)
        store = self._store = FilesystemStore(settings.data)
        self._keeper = _key_keeper(settings, metadata)
        self._keeper.refresh(datetime.now(UTC))
        sweeper = _sweeper(settings, metadata, store) if is_first and settings.background else None
        # A descriptor kept for reading holds the space of an object that another process deleted.
        refreshing = (lambda: self._keeper.refresh(datetime.now(UTC)), store.drop_deleted)
        self._background = Background(refreshing, sweeper, settings.sweep_interval)
        residents, _ = settle(metadata, _no_secret)
        access = Access(settings.anonymous_pull)
        tokens = Tokens(settings.service, settings.service, self._keeper.ring)
        connection = metadata.reader(cache=16384)
        reader = SqliteReader(connection.run, connection.version)
        authenticator = self._authenticator = Authenticator(
            reader, metadata, residents, Passwords(), VerifiedTokens(tokens), is_open=settings.open
        )
        services = _services(settings, metadata, store, reader, access, self._in_thread)
        challenges = Challenges(settings.service, settings.public_url)
        self._distribution = DistributionApi(services, authenticator, challenges)
        token_service = TokenService(
            authenticator, tokens, access, residents, settings.service, settings.token_lifetime
        )
        self._rest = self._starlette(settings, reader, token_service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The hot path first, ahead of every framework."""
        if scope["type"] == "http" and (scope["path"].startswith("/v2/") or scope["path"] == "/v2"):
            if scope["path"] == "/v2":
                scope["path"] = "/v2/"
            await self._distribution(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    def at_once(self, scope: Scope, asked_again: bool) -> Answer | ASGIApp:
        """What can be answered without waiting, before there is a task for it; see the server's `prompt`."""
        if scope["method"] in _LOOKUPS and scope["path"].startswith("/v2/"):
            return self._distribution.at_once(scope, asked_again=asked_again)
        return self

    def _starlette(self, settings: Settings, reader: SqliteReader, tokens: TokenService) -> Starlette:
        async def health(_: Request) -> JSONResponse:
            # By the pull path's own connection: what answers here can serve.
            await reader.credential(0)
            return JSONResponse({"status": "ok"})

        routes = [
            Route("/healthz", health),
            *tokens.routes(),
            *page.routes(settings.public_url, version("entrepot")),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        background = asyncio.create_task(self._background.run(self._in_thread))
        try:
            yield
        finally:
            background.cancel()
            await asyncio.gather(background, return_exceptions=True)
            self._authenticator.close()
            self._in_thread.close()
            self._metadata.close()


def _services(
    settings: Settings,
    metadata: SqliteMetadata,
    store: FilesystemStore,
    reader: SqliteReader,
    access: Access,
    in_thread: Threads,
) -> Services:
    return Services(
        reader=reader,
        writer=metadata,
        store=store,
        access=access,
        uploads=UploadService(metadata, store, hashes(), _new_id, new_key, settings.lease, settings.upload_expiry),
        blobs=BlobService(metadata, store, settings.lease, settings.sparse),
        manifests=ManifestService(metadata, settings.lease, settings.undo_window, settings.sparse),
        in_thread=in_thread,
        manifest_limit=settings.manifest_limit,
        memory=Memory(settings.upload_memory),
    )


def _sweeper(settings: Settings, metadata: SqliteMetadata, store: FilesystemStore) -> Sweeper:
    # A name of its own for each process, so that a lease is never taken for another's.
    tenure = Tenure(metadata, "sweep", str(uuid.uuid4()))
    return Sweeper(metadata, store, tenure, settings.delete_delay)


def _key_keeper(settings: Settings, metadata: SqliteMetadata) -> KeyKeeper:
    key_file = settings.key_file or settings.data / "key"
    return KeyKeeper(metadata, KeyFile.load_or_create(key_file), settings.token_lifetime)


def _database(settings: Settings) -> Path:
    return settings.data / "registry.db"


def _new_id() -> str:
    return str(uuid.uuid4())


def _no_secret() -> str:
    raise RuntimeError("the data folder is not prepared: its accounts are missing")
