"""The `/v2/` tree, as one lean ASGI callable: locate, authenticate, demand, handle, send. No middleware (design §6)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

import structlog

from registry.api.authenticate import Authenticator, BadToken, Challenges
from registry.api.eager import Begun, Done, begin
from registry.api.errors import refusal, render
from registry.api.messages import Answer, FileBody, Headers, Identity, Receive, Request, Scope, Send, StreamBody, text
from registry.api.passing import pass_on
from registry.api.request_limits import UNLIMITED, RequestLimits
from registry.api.routes import BY_ENDPOINT, Endpoint, Route, locate
from registry.api.services import Services
from registry.core.access import Demand, ScopeMissing
from registry.core.facts import Outcome
from registry.core.rights import Right
from registry.core.witness import NOBODY, Witness
from registry.oci.errors import Denied, MethodNotAllowed, NameInvalid, RegistryError, RouteUnknown, Unauthorized
from registry.oci.names import RepositoryName

_VERSION: Final = (b"docker-distribution-api-version", b"registry/2.0")
_LOOKED_AT: Final = 60.0
"""Seconds after which a credential is looked at again, whatever else has not changed."""
_log = structlog.get_logger()

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Finish = Callable[[Request, Answer | None, Send], Awaitable[None]]


class DistributionApi:
    """ASGI application of everything below `/v2/`."""

    def __init__(
        self,
        registry: Services,
        authenticator: Authenticator,
        challenges: Challenges,
        witness: Witness = NOBODY,
        limits: RequestLimits = UNLIMITED,
    ) -> None:
        self._registry = registry
        self._authenticator = authenticator
        self._challenges = challenges
        self._witness = witness
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        endpoint, request = _located(scope, receive)
        await self._send(request, await self._respond(endpoint, request), send)

    def at_once(self, scope: Scope, *, asked_again: bool) -> Answer | Application:
        """Answer a request without a body here and now, or begin to: the rest is the application returned.

        One that is `asked_again` also learns how long its answer holds.
        """
        endpoint, request = _located(scope, _no_body)
        # Read before the answer that it guards.
        version = self._registry.reader.version() if asked_again else None
        begun = begin(self._respond(endpoint, request))
        if not isinstance(begun, Done) or begun.result is None or not isinstance(begun.result.body, bytes):
            return _Rest(request, begun, self._send)
        return self._guarded(request, begun.result, version)

    def _guarded(self, request: Request, answer: Answer, version: int | None) -> Answer:
        """The answer, holding while nobody commits (if `version` was asked); what it rests on must hold as well."""
        reader, own, identity = self._registry.reader, answer.holds, request.identity
        if own is None or version is None or identity is None or self._limits.apply_to(identity.caller):
            return answer if own is None else answer._replace(holds=None)
        # A credential ends by itself, and is to be seen in use now and then.
        until = min(identity.until, time.time() + _LOOKED_AT) if identity.caller.credential else identity.until

        def holds() -> bool:
            return reader.version() == version and time.time() < until and own()

        return answer._replace(holds=holds)

    async def _respond(self, endpoint: Endpoint | None, request: Request) -> Answer | None:
        """What is to be sent; None when the client is gone, and with it whoever could read an answer."""
        try:
            answer = await self._answer(endpoint, request)
        except RegistryError as error:
            answer = render(error)
        except ConnectionError:
            return None
        except Exception:
            _log.exception("request failed", method=request.method, path=request.scope["path"])
            # No code of the specification's list, which is for 4xx: clients try again what they do not know.
            answer = refusal(500, "UNKNOWN", "the registry failed to answer; its log tells more")
        return Answer(answer.status, (*answer.headers, _VERSION), answer.body, answer.holds)

    async def _answer(self, endpoint: Endpoint | None, request: Request) -> Answer:
        route = BY_ENDPOINT[endpoint].get(request.method) if endpoint else None
        demands = _demands(route, request) if route else []
        try:
            identity = await self._authenticator.recognise(request.header(b"authorization"), request.address)
            request.identity = identity
            request.scope.setdefault("state", {})["access"] = _logged(request, identity)
            self._limits.count(identity.caller)
            self._demand(identity, demands)
            if route is None:
                return _no_route(endpoint)
            return await route.handler(request, self._registry)
        except Unauthorized as error:
            return self._challenge(error, request, demands)
        except Denied:
            self._tell_of_refusal(route, request)
            raise

    def _tell_of_refusal(self, route: Route | None, request: Request) -> None:
        if route is not None and route.action is not None:
            self._witness.tell(
                route.action, request.by, Outcome.DENIED, repository=request.raw_name, reference=request.last
            )

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

    async def _send(self, request: Request, answer: Answer | None, send: Send) -> None:
        if answer is None:
            return
        body = answer.body
        try:
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            if isinstance(body, bytes) or request.method == "HEAD":
                content = body if isinstance(body, bytes) and request.method != "HEAD" else b""
                await send({"type": "http.response.body", "body": content})
            elif isinstance(body, FileBody):
                await self._send_file(request, body, send)
            else:
                await pass_on(body.stream, body.count, request.scope, send, self._registry.in_thread)
        finally:
            if isinstance(body, FileBody):
                body.file.close()
            elif isinstance(body, StreamBody):
                # In a thread: to close a connection to somebody else may wait for them.
                self._registry.in_thread.later(body.stream.close)

    async def _send_file(self, request: Request, body: FileBody, send: Send) -> None:
        """By the kernel where the server offers it, else through our hands."""
        if "http.response.zerocopysend" in request.scope.get("extensions", {}):
            await send(
                {"type": "http.response.zerocopysend", "file": body.file, "offset": body.offset, "count": body.count}
            )
            return
        body.file.seek(body.offset)
        await pass_on(body.file, body.count, request.scope, send, self._registry.in_thread)


class _Rest:
    """The ASGI application that carries on with one answer."""

    def __init__(self, request: Request, begun: Done[Answer | None] | Begun[Answer | None], finish: Finish) -> None:
        self._request = request
        self._begun = begun
        self._finish = finish

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        begun = self._begun
        await self._finish(self._request, begun.result if isinstance(begun, Done) else await begun, send)


def _located(scope: Scope, receive: Receive) -> tuple[Endpoint | None, Request]:
    located = locate(scope["path"])
    if located is None:
        return None, Request(scope, receive, "", "")
    endpoint, name, last = located
    return endpoint, Request(scope, receive, name, last)


async def _no_body() -> MutableMapping[str, Any]:
    raise RuntimeError("a request without a body has nothing to receive")


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
