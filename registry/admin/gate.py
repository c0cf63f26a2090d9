"""What every request passes before FastAPI sees it: who asks, how much it sends, and what every answer says."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import structlog
from fastapi import HTTPException, Request

from registry.admin.callers import SAFE, Callers
from registry.admin.late import ASGIApp, Receive, Scope, Send
from registry.admin.problems import failed, refused
from registry.core.facts import Action, Caller, Outcome
from registry.core.printable import printable
from registry.core.witness import Witness
from registry.oci.errors import RegistryError

LONGEST_BODY: Final = 64 * 1024
# What is told here is of people and their secrets, and no page.
_HEADERS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_LONGEST_TOLD: Final = 200
_log = structlog.get_logger()


class Gate:
    """ASGI application around another; `public` are paths that anybody may ask for."""

    def __init__(self, inner: ASGIApp, callers: Callers, witness: Witness, public: frozenset[str]) -> None:
        self._inner = inner
        self._callers = callers
        self._witness = witness
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answering = _Answering(send)
        scope.setdefault("state", {})
        # HEAD is GET; its body is left out by the server (RFC 9110, section 9.3.2).
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        try:
            if scope["path"] not in self._public:
                await self._recognise(scope)
            await self._inner(asked, _bounded(receive), answering)
        except RegistryError as error:
            await refused(error)(scope, receive, answering)
        except Exception:
            _log.exception("request failed", method=scope["method"], path=scope["path"])
            if answering.status is None:
                await failed()(scope, receive, answering)
        self._tell(scope, answering.status)

    async def _recognise(self, scope: Scope) -> None:
        caller = await self._callers.of(scope)
        scope["state"] |= {"caller": caller, "access": {"principal": caller.name}}

    def _tell(self, scope: Scope, status: int | None) -> None:
        """Of a change that somebody may not make."""
        caller = scope["state"].get("caller")
        if caller is not None and status == HTTPStatus.FORBIDDEN and scope["method"] not in SAFE:
            target = printable(scope["path"], _LONGEST_TOLD)
            self._witness.tell(Action.ADMINISTER, caller, Outcome.DENIED, target=target, detail=scope["method"])


async def caller_of(request: Request) -> Caller:
    """Who asks; nobody without a name comes this far."""
    caller: Caller = request.state.caller
    return caller


class _Answering:
    """Sends, with the headers that every answer has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None

    async def __call__(self, message: Scope) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await self._send(message)


def _bounded(receive: Receive) -> Receive:
    """The body, as long as it is one that this API takes."""
    left = LONGEST_BODY

    async def bounded() -> Scope:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413)
        return message

    return bounded
