"""The token service (distribution token specification): GET with Basic, POST with a form; grants what may be granted.

A scope that is not allowed is left out, never an error: clients ask for more than they need, such as `pull` on the
source of a mount, and go on with what they get.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from registry.api.authenticate import Authenticator, BadCredentials
from registry.auth.basic import BasicCredentials, parse_basic
from registry.auth.scopes import Scope, parse_scopes
from registry.auth.tokens import Claims, Tokens, TokenTooLarge
from registry.core.access import Access, Right
from registry.core.accounts import Residents
from registry.core.facts import Caller
from registry.oci.errors import NameInvalid, Unauthorized
from registry.oci.names import RepositoryName

_LONGEST_FORM: Final = 64 * 1024
_NO_STORE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class TokenService:
    """Issues bearer tokens for who signs in, and for anonymous callers what they may do without."""

    authenticator: Authenticator
    tokens: Tokens
    access: Access
    residents: Residents
    service: str
    lifetime: timedelta

    def routes(self) -> list[Route]:
        """`/token`, by GET and by POST."""
        return [Route("/token", self._get, methods=["GET"]), Route("/token", self._post, methods=["POST"])]

    async def _get(self, request: Request) -> Response:
        """Name and password as Basic; none at all for anonymous."""
        query = request.query_params
        if query.get("service", self.service) != self.service:
            return _refused("invalid_request", "no such service", 400)
        header = request.headers.get("authorization")
        if header is None:
            return self._issue(self.residents.anonymous, query.getlist("scope"))
        basic = parse_basic(header)
        return await self._for(basic, query.getlist("scope"))

    async def _post(self, request: Request) -> Response:
        """The OAuth 2 form (RFC 6749, section 4.3); refresh tokens come with accounts of their own."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LONGEST_FORM:
                return _refused("invalid_request", "the form is too long", 413)
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if fields.get("grant_type") != "password":
            return _refused("unsupported_grant_type", "only the grant type password is supported", 400)
        if fields.get("service", self.service) != self.service:
            return _refused("invalid_request", "no such service", 400)
        basic = BasicCredentials(fields.get("username", ""), fields.get("password", ""))
        # The same rule as for Basic: control characters forge lines of logs.
        return await self._for(basic if "".join(basic).isprintable() else None, [fields.get("scope", "")])

    async def _for(self, basic: BasicCredentials | None, scopes: list[str]) -> Response:
        try:
            if basic is None:
                raise BadCredentials
            return self._issue(await self.authenticator.by_password(basic), scopes)
        except Unauthorized as error:
            document = {"errors": [{"code": error.code, "message": error.message, "detail": error.detail}]}
            return JSONResponse(
                document, status_code=error.status, headers={"WWW-Authenticate": 'Basic realm="entrepot"'}
            )

    def _issue(self, caller: Caller, scopes: list[str]) -> Response:
        now = datetime.now(UTC)
        granted = tuple(each for asked in parse_scopes(" ".join(scopes)) if (each := self._granted(caller, asked)))
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
        return JSONResponse(document, headers=_NO_STORE)

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


def _expanded(asked: Scope) -> tuple[str, ...]:
    """Actions that we know; on a repository `*` is all of them."""
    known = {str(right) for right in Right}
    if asked.type == "repository":
        known.remove(Right.CATALOG)
        if "*" in asked.actions:
            return tuple(sorted(known))
    return tuple(each for each in asked.actions if each in known)


def _refused(error: str, description: str, status: int) -> Response:
    """An OAuth 2 error (RFC 6749, section 5.2)."""
    return JSONResponse({"error": error, "error_description": description}, status_code=status, headers=_NO_STORE)
