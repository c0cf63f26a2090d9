"""The `/v2/` tree, as one lean ASGI callable: locate, authenticate, demand, handle, send. No middleware (design §6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from registry.api.authenticate import Authenticator, BadToken, Challenges
from registry.api.errors import refusal, render
from registry.api.messages import Answer, FileBody, Headers, Identity, Receive, Request, Scope, Send, text
from registry.api.routes import BY_ENDPOINT, Endpoint, Route, locate
from registry.api.services import Services
from registry.core.access import Demand, Right, ScopeMissing
from registry.oci.errors import MethodNotAllowed, NameInvalid, RegistryError, RouteUnknown, Unauthorized
from registry.oci.names import RepositoryName

_VERSION: Final = (b"docker-distribution-api-version", b"registry/2.0")
_STREAMED: Final = 256 * 1024
_log = structlog.get_logger()


class DistributionApi:
    """ASGI application of everything below `/v2/`."""

    def __init__(self, registry: Services, authenticator: Authenticator, challenges: Challenges) -> None:
        self._registry = registry
        self._authenticator = authenticator
        self._challenges = challenges

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        located = locate(scope["path"])
        request = Request(scope, receive, *(located[1:] if located else ("", "")))
        try:
            answer = await self._answer(located[0] if located else None, request)
        except RegistryError as error:
            answer = render(error)
        except ConnectionError:
            # The client is gone, and with it whoever could read an answer.
            return
        except Exception:
            _log.exception("request failed", method=request.method, path=scope["path"])
            # No code of the specification's list, which is for 4xx: clients try again what they do not know.
            answer = refusal(500, "UNKNOWN", "the registry failed to answer; its log tells more")
        await self._send(request, answer, send)

    async def _answer(self, endpoint: Endpoint | None, request: Request) -> Answer:
        route = BY_ENDPOINT[endpoint].get(request.method) if endpoint else None
        demands = _demands(route, request) if route else []
        try:
            identity = await self._authenticator.recognise(request.header(b"authorization"))
            request.identity = identity
            request.scope.setdefault("state", {})["access"] = _logged(request, identity)
            self._demand(identity, demands)
            if route is None:
                return _no_route(endpoint)
            return await route.handler(request, self._registry)
        except Unauthorized as error:
            return self._challenge(error, request, demands)

    def _demand(self, identity: Identity, demands: Sequence[Demand]) -> None:
        access, caller = self._registry.access, identity.caller
        for position, demand in enumerate(demands):
            # Of a mount's source the caller need not hold anything: what it cannot read is a mount that cannot be done.
            # But what it could read by a wider token is a reason to fetch that.
            if position == 0 or access.grants(caller, demand):
                access.demand(caller, demand, identity.scopes)

    def _challenge(self, error: Unauthorized, request: Request, demands: Sequence[Demand]) -> Answer:
        reason = None
        if isinstance(error, BadToken):
            reason = "invalid_token"
        elif isinstance(error, ScopeMissing):
            reason = "insufficient_scope"
            demands = list(dict.fromkeys((*demands, error.demand)))
        return render(error, ((b"www-authenticate", self._challenges.challenge(request, demands, reason)),))

    async def _send(self, request: Request, answer: Answer, send: Send) -> None:
        body = answer.body
        try:
            await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, _VERSION]})
            if isinstance(body, FileBody) and request.method != "HEAD":
                await self._send_file(request, body, send)
            else:
                content = body if isinstance(body, bytes) and request.method != "HEAD" else b""
                await send({"type": "http.response.body", "body": content})
        finally:
            if isinstance(body, FileBody):
                body.file.close()

    async def _send_file(self, request: Request, body: FileBody, send: Send) -> None:
        """By the kernel where the server offers it, else through our hands."""
        if "http.response.zerocopysend" in request.scope.get("extensions", {}):
            await send(
                {"type": "http.response.zerocopysend", "file": body.file, "offset": body.offset, "count": body.count}
            )
            return
        body.file.seek(body.offset)
        left = body.count
        while left:
            data = await self._registry.in_thread(body.file.read, min(left, _STREAMED))
            if not data:
                # Shorter than it was a moment ago: an answer cut short is the one honest thing left to send.
                raise ConnectionError("the object ended early")
            left -= len(data)
            await send({"type": "http.response.body", "body": data, "more_body": left > 0})


def _demands(route: Route, request: Request) -> list[Demand]:
    """What the route's row asks of the caller. Raises: NameInvalid."""
    if not route.rights:
        return []
    if route.endpoint is Endpoint.CATALOG:
        return [Demand(route.rights)]
    demands = [Demand(route.rights, request.name)]
    if route.endpoint is Endpoint.UPLOADS and (source := _mount_source(request)):
        demands.append(Demand((Right.PULL,), source))
    return demands


def _mount_source(request: Request) -> RepositoryName | None:
    """The repository that a mount wants to pull from, for the challenge to name (field-notes: a token for both)."""
    origin = request.parameter("from") if request.parameter("mount") else None
    try:
        return RepositoryName.parse(origin) if origin else None
    except NameInvalid:
        return None


def _no_route(endpoint: Endpoint | None) -> Answer:
    if endpoint is None:
        return render(RouteUnknown())
    allowed: Headers = ((b"allow", text(", ".join(sorted(BY_ENDPOINT[endpoint])))),)
    return render(MethodNotAllowed(), allowed)


def _logged(request: Request, identity: Identity) -> dict[str, str]:
    fields = {"principal": identity.caller.name}
    if request.raw_name:
        fields["repository"] = request.raw_name
    return fields
