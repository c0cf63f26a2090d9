"""The token service (distribution token specification): GET with Basic, POST with a form; grants what may be granted.

A scope that is not allowed is left out, never an error: clients ask for more than they need, such as `pull` on the
source of a mount, and go on with what they get.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from registry.api.authenticate import Authenticator, BadCredentials
from registry.api.services import Threads
from registry.auth.basic import BasicCredentials, parse_basic
from registry.auth.giving import give_new
from registry.auth.keys import jwks
from registry.auth.scopes import Scope, parse_scopes
from registry.auth.tokens import Claims, Tokens, TokenTooLarge
from registry.core.access import Access
from registry.core.credentials import CredentialService
from registry.core.facts import Action, Caller, CredentialKind, Outcome
from registry.core.rights import Right
from registry.core.witness import NOBODY, Witness
from registry.oci.errors import NameInvalid, Unauthorized
from registry.oci.names import RepositoryName

_LONGEST_FORM: Final = 64 * 1024
_NO_STORE: Final = {"Cache-Control": "no-store"}
# Of a repository; the others of `Right` are no tokens' business.
_ACTIONS: Final = (Right.DELETE, Right.PULL, Right.PUSH)


class BadRefreshToken(Unauthorized):
    """A refresh token that nobody was given, or that was taken back."""

    message = "invalid refresh token"


@dataclass(frozen=True, slots=True)
class TokenService:
    """Issues bearer tokens for who signs in, and for anonymous callers what they may do without."""

    authenticator: Authenticator
    tokens: Tokens
    access: Access
    credentials: CredentialService
    in_thread: Threads
    service: str
    lifetime: timedelta
    refresh_lifetime: timedelta
    witness: Witness = NOBODY

    def routes(self) -> list[Route]:
        """`/token`, by GET and by POST, and the keys that tokens are signed with."""
        return [
            Route("/token", self._get, methods=["GET"]),
            Route("/token", self._post, methods=["POST"]),
            Route("/token/jwks.json", self._keys, methods=["GET"]),
        ]

    async def _get(self, request: Request) -> Response:
        """Name and password as Basic; none at all for anonymous."""
        query = request.query_params
        if query.get("service", self.service) != self.service:
            return _refused("invalid_request", "no such service", 400)
        asked = _Asked(query.getlist("scope"), query.get("offline_token") == "true", query.get("client_id", ""))
        header, address = request.headers.get("authorization"), _address(request)
        if header is None:
            return await self._issue(await self.authenticator.anonymous(address), asked)
        return await self._for(parse_basic(header), asked, address)

    async def _post(self, request: Request) -> Response:
        """The OAuth 2 form (RFC 6749, sections 4.3 and 6)."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LONGEST_FORM:
                return _refused("invalid_request", "the form is too long", 413)
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if fields.get("service", self.service) != self.service:
            return _refused("invalid_request", "no such service", 400)
        is_offline = fields.get("access_type") == "offline"
        asked = _Asked([fields.get("scope", "")], is_offline, fields.get("client_id", ""))
        match fields.get("grant_type"):
            case "password":
                basic = BasicCredentials(fields.get("username", ""), fields.get("password", ""))
                # The same rule as for Basic: control characters forge lines of logs.
                return await self._for(basic if "".join(basic).isprintable() else None, asked, _address(request))
            case "refresh_token":
                return await self._refresh(fields.get("refresh_token", ""), asked, _address(request))
            case _:
                return _refused("unsupported_grant_type", "the grant types are password and refresh_token", 400)

    async def _keys(self, _: Request) -> Response:
        """For who verifies our tokens elsewhere (RFC 7517); keys are published before their use."""
        keys = jwks(self.tokens.ring().verifiers(datetime.now(UTC)))
        return JSONResponse(keys, headers={"Cache-Control": "public, max-age=300"})

    async def _for(self, basic: BasicCredentials | None, asked: _Asked, address: str) -> Response:
        try:
            if basic is None:
                raise BadCredentials
            known = await self.authenticator.by_password(basic, address)
            # A directory's word is good for an hour: nothing takes its place for longer than that.
            lasts = asked.is_offline and known.kind is not CredentialKind.EXTERNAL
            # What was shown may have been taken back by now: then there is nothing to be had for it.
            refresh = await self._refresh_token(known.caller, asked) if lasts else None
        except Unauthorized as error:
            return _unauthorized(error)
        self.witness.tell(Action.SIGN_IN, known.caller, Outcome.DONE)
        return await self._issue(known.caller, asked, refresh)

    async def _refresh(self, secret: str, asked: _Asked, address: str) -> Response:
        """The same refresh token goes on: clients keep it in a file, and several of them read that."""
        known = await self.authenticator.by_secret(secret, CredentialKind.REFRESH, address)
        if known is None:
            self.authenticator.tell_of_failure("", address)
            return _unauthorized(BadRefreshToken())
        self.witness.tell(Action.SIGN_IN, known.caller, Outcome.DONE)
        return await self._issue(known.caller, asked, secret)

    async def _refresh_token(self, caller: Caller, asked: _Asked) -> str:
        """One that ends with the credential that was shown, and may be used for no more."""
        give = partial(
            give_new,
            self.credentials,
            caller.principal,
            caller,
            kind=CredentialKind.REFRESH,
            label=asked.client,
            limits=caller.limits.grants if caller.limits is not None else (),
            lifetime=self.refresh_lifetime,
            parent=caller.credential,
        )
        text, _ = await self.in_thread(give)
        return text

    async def _issue(self, caller: Caller, asked: _Asked, refresh: str | None = None) -> Response:
        now = datetime.now(UTC)
        granted = tuple(part for each in parse_scopes(" ".join(asked.scopes)) if (part := self._granted(caller, each)))
        try:
            claims = Claims.grant(str(caller.principal), caller.credential, granted, now, self.lifetime)
            token = self.tokens.issue(claims, now)
        except TokenTooLarge as error:
            return _refused("invalid_scope", str(error), 400)
        document = {
            "token": token,
            "access_token": token,
            "expires_in": int((claims.expires - claims.issued).total_seconds()),
            "issued_at": claims.issued.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return JSONResponse(document | ({"refresh_token": refresh} if refresh else {}), headers=_NO_STORE)

    def _granted(self, caller: Caller, asked: Scope) -> Scope | None:
        """The part of a scope that the caller may have by now; None when that is nothing."""
        try:
            repository = RepositoryName.parse(asked.name) if asked.type == "repository" else None
        except NameInvalid:
            return None
        if repository is None and (asked.type, asked.name) != ("registry", "catalog"):
            return None
        actions = tuple(each for each in _expanded(asked) if self.access.granted(caller, Right(each), repository))
        return Scope(asked.type, asked.name, actions) if actions else None


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a client wants: scopes, and maybe something to keep in place of a password, under its own name."""

    scopes: list[str]
    is_offline: bool
    client: str


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _unauthorized(error: Unauthorized) -> Response:
    document = {"errors": [{"code": error.code, "message": error.message, "detail": error.detail}]}
    return JSONResponse(document, status_code=error.status, headers={"WWW-Authenticate": 'Basic realm="entrepot"'})


def _expanded(asked: Scope) -> tuple[str, ...]:
    """Actions that we know; on a repository `*` is all of them."""
    if asked.type == "registry":
        return tuple(each for each in asked.actions if each == Right.CATALOG)
    if "*" in asked.actions:
        return _ACTIONS
    return tuple(each for each in asked.actions if each in _ACTIONS)


def _refused(error: str, description: str, status: int) -> Response:
    """An OAuth 2 error (RFC 6749, section 5.2)."""
    return JSONResponse({"error": error, "error_description": description}, status_code=status, headers=_NO_STORE)
