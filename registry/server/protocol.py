"""HTTP/1.1 on one connection: uvicorn's httptools protocol, stricter in what it reads, with three extensions more.

    scope["extensions"]["http.response.zerocopysend"]        files leave by sendfile (ASGI's own extension)
    scope["extensions"]["entrepot.relay"]                    bytes pass from another connection; see cycle
    scope["extensions"]["entrepot.gather"]["receive"]        await receive(limit) -> (chunks, more); see gather

How a connection goes from request to request, and how it ends:

    head --> body --> response --> head ...                  keep-alive; what nobody read of a body is drained
      |        |         |
      |        |         +-- keep_alive is False --> linger  write side shut, input thrown away, until the client closes
      +--------+-- Refusal: earlier requests are answered, then this one by 4xx --> linger
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, cast

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.protocols.utils import is_ssl
from uvicorn.server import ServerState

from registry.server.access_log import AccessLog, Entry
from registry.server.cycle import Cycle
from registry.server.forwarded import Proxies
from registry.server.framing import Refusal
from registry.server.gather import RequestBody
from registry.server.limits import Limits
from registry.server.outlet import Outlet
from registry.server.patience import Wait, Waiting, Watch, watch_of
from registry.server.prompt import AtOnce, fields, rendered
from registry.server.reading import Reading
from registry.server.repeats import Repeat, Repeats

_SURPLUS = 64 * 1024
"""What is read after a connection's last request, so that its closing is noticed while that is being answered."""
_AHEAD = 8
"""Requests in line with which reading goes on, for the same reason."""
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_logger = logging.getLogger(__name__)


def protocol(limits: Limits, log: AccessLog | None, proxies: Proxies | None = None) -> type[HttpProtocol]:
    """What uvicorn takes for `http=`."""
    own = {"limits": limits, "log": log, "kept": Repeats(), "proxies": proxies or Proxies()}
    return type("ConfiguredHttpProtocol", (HttpProtocol,), own)


class HttpProtocol(Reading):
    """One connection: its requests in turn, and its end."""

    log: ClassVar[AccessLog | None] = None
    kept: ClassVar[Repeats] = Repeats()
    alpn_protocols: ClassVar[list[str]] = ["http/1.1"]
    watch: Watch

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.answering: Cycle | None = None
        self.line: deque[Cycle] = deque()
        self.refusal: Refusal | None = None
        self.lingering = False
        self.half_closed = False
        self._at_once: AtOnce | None = getattr(self.app, "at_once", None)

    # A connection's beginning and end

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if self.client is not None and self.proxies.trust(self.client[0]):
            self.proxy = self.client[0]
        self.outlet = Outlet(transport, self.flow, self.end, secure=is_ssl(transport))
        self.watch = watch_of(self.server_state, self.limits.tick)
        self.watch.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.watch.discard(self)
        if self.answering is not None:
            self._log_cycle(self.answering, aborted=True)
            self.answering.cut()
            self.answering = None
        self.line.clear()
        self.outlet.lost()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's says None, asyncio's may say to keep the connection
        """The client sends nothing more. One that has sent its whole request may still be reading."""
        if self.outlet.secure or self.lingering or self.latest is None or self.answering is None:
            return False
        if not self.latest.inlet.whole:
            return False
        self.half_closed = self.deaf = True
        self.latest.keep_alive = False
        for cycle in self._unanswered():
            cycle.half_close()
        return True

    def shutdown(self) -> None:
        """The server stops: what is being answered is the last."""
        if self.answering is None or self.latest is None:
            self.transport.close()
        else:
            self.latest.keep_alive = False

    def park(self) -> None:
        """The server waits no longer: of a body that is still coming, what arrived is all that the application gets."""
        if self.answering is not None and self._is_unread():
            self.transport.abort()

    def end(self) -> None:
        """End the connection: at once, unless the client may be sending what nobody will read."""
        cycle = self.answering
        complete = cycle is not None and cycle.response_complete
        if complete and (self._is_unread() or self.surplus or self.line):
            self.linger()
        else:
            self.transport.close()

    def linger(self) -> None:
        # Closed with bytes unread, a socket answers with a reset, which throws away what the client has not read yet
        # (RFC 9112, 9.6): docker would see a broken connection where we said 401.
        self.deaf = True
        if self.lingering or self.outlet.is_closing():
            return
        if self.half_closed:
            self.transport.close()
            return
        self.lingering = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.regulate()

    # Requests in turn

    def begin(self, cycle: Cycle) -> None:
        if self.answering is None:
            self._answer(cycle)
        else:
            self.line.append(cycle)
            self.regulate()

    def _may_answer_now(self) -> bool:
        return self.answering is None and not self.flow.write_paused

    def answer_at_once(self) -> ASGI3Application | None:
        if self._at_once is None or not self.prompt or not self._may_answer_now():
            return cast("ASGI3Application", self.app)
        self.prompt -= 1
        began = time.perf_counter()
        scope = cast("dict[str, Any]", self.scope)
        reply = self._at_once(scope, self.asked_again)
        if callable(reply):
            return reply
        status_line, rest, body = rendered(reply, is_head=scope["method"] == "HEAD")
        self._write_whole(status_line, rest, body)
        self._log(scope, reply.status, body, began)
        if reply.holds is not None:
            self.repeatable = Repeat(status_line, rest, body, reply.status, _told(scope), reply.holds)
        return None

    def repeats(self, asked: bytes) -> bool:
        if not self._may_answer_now():
            return False
        began = time.perf_counter()
        repeat = self.kept.find(asked)
        if repeat is None:
            return False
        self.latest = None
        self._write_whole(repeat.status_line, repeat.rest, repeat.body)
        self._log(repeat.scope, repeat.status, repeat.body, began)
        return True

    def was_heard(self, asked: bytes) -> bool:
        return self._at_once is not None and self.kept.was_heard(asked)

    def keep(self, asked: bytes, repeat: Repeat) -> None:
        self.kept.keep(asked, repeat)

    def _write_whole(self, status_line: bytes, rest: bytes, body: int) -> None:
        self.outlet.write_whole(status_line + fields(self.server_state.default_headers) + rest, body)
        self.server_state.total_requests += 1

    def is_crowded(self) -> bool:
        return len(self.line) >= self.limits.pipeline

    def _answer(self, cycle: Cycle) -> None:
        self.answering = cycle
        cycle.begin()
        self._start_asgi_task(cycle, cycle.app)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        cycle, self.answering = self.answering, None
        if cycle is not None:
            self._log_cycle(cycle)
            if cycle.inlet.size or not cycle.inlet.whole:
                # Counted from here on: by what was still to come, the head has promised to keep the connection or not.
                self.drained = 0
                cycle.inlet.discard()
        if self.lingering or self.outlet.is_closing():
            return
        if self.line:
            self._answer(self.line.popleft())
        elif self.refusal is not None:
            self._send_refusal(self.refusal, None)
        self.regulate()

    def _unanswered(self) -> list[Cycle]:
        return [*([self.answering] if self.answering is not None else []), *self.line]

    def _is_unread(self) -> bool:
        return self.latest is not None and not self.latest.inlet.whole

    # Refusals

    def refuse(self, refusal: Refusal) -> None:
        self.deaf = True
        self.refusal = refusal
        torn = self.latest if self._is_unread() else None
        if torn is None or torn in self.line:
            self._refuse_in_turn(torn)
        elif torn.response_complete:
            self.linger()
        elif torn.response_started:
            self.transport.abort()
        else:
            torn.cut()
            self.answering = None
            self._send_refusal(refusal, torn)

    def _refuse_in_turn(self, torn: Cycle | None) -> None:
        if torn is not None:
            self.line.remove(torn)
        if self.answering is None and self.refusal is not None:
            self._send_refusal(self.refusal, None)

    def _send_refusal(self, refusal: Refusal, torn: Cycle | None) -> None:
        """Say no, to a request whose application may already have begun."""
        text = refusal.reason.encode()
        fields = [
            *self.server_state.default_headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(text)),
            (b"connection", b"close"),
        ]
        head = STATUS_LINE[refusal.status] + b"".join(b"%b: %b\r\n" % field for field in fields)
        self.transport.write(head + b"\r\n" + text)
        scope = cast("dict[str, Any]", torn.scope) if torn is not None else _NOTHING
        began = torn.began if torn is not None else None
        self._log(scope, refusal.status, len(text), began, {"refused": refusal.reason})
        self.linger()

    # Reading as fast as it is used

    def regulate(self) -> None:
        if self.outlet.is_closing():
            return
        full = self.latest is not None and self.latest.inlet.full
        crowded = len(self.line) > _AHEAD
        if self.lingering or not (self.half_closed or crowded or full or self.surplus > _SURPLUS):
            self.flow.resume_reading()
        else:
            self.flow.pause_reading()

    def demand(self, inlet: RequestBody) -> None:
        if inlet.expects_continue and not self.outlet.is_closing():
            inlet.expects_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.regulate()

    # Patience

    def waiting(self) -> Waiting | None:
        limits = self.limits
        if self.outlet.is_sending or (self.outlet.is_closing() and self.transport.get_write_buffer_size()):
            return Waiting(Wait.SEND, self.outlet.progress(), limits.send_stall)
        if self.lingering and not self.outlet.is_closing():
            return Waiting(Wait.LINGER, None, limits.linger)
        if self.latest is not None and not self.latest.inlet.whole:
            return self._waiting_for_body(self.latest.inlet)
        if self.answering is not None or self.outlet.is_closing():
            return None
        if self.in_head:
            return Waiting(Wait.HEAD, self.begun, limits.head_within)
        return Waiting(Wait.IDLE, self.begun, limits.idle)

    def _waiting_for_body(self, inlet: RequestBody) -> Waiting | None:
        # A client that was not told to continue waits for us, and one that we do not read from may be sending.
        if inlet.expects_continue or self.flow.read_paused or self.outlet.is_closing():
            return None
        return Waiting(Wait.BODY, self.received, self.limits.body_stall)

    def expire(self, wait: Wait) -> None:
        _logger.info("%s: no progress, waiting for %s", self.client, wait.value)
        if wait is Wait.HEAD and self.begun:
            self.refuse(Refusal(408, "the request's head took too long"))
        elif wait in (Wait.HEAD, Wait.IDLE):
            self.transport.close()
        else:
            self.transport.abort()

    # The access log

    def _log_cycle(self, cycle: Cycle, **more: object) -> None:
        sent = self.outlet.sent - cycle.sent_before
        self._log(cast("dict[str, Any]", cycle.scope), cycle.status, sent, cycle.began, more)

    def _log(
        self,
        scope: Mapping[str, Any],
        status: int | None,
        sent: int,
        began: float | None = None,
        more: Mapping[str, object] = _NOTHING,
    ) -> None:
        """`scope` is empty for a request that never became one, and `began` None for one that no application saw."""
        if self.log is None:
            return
        client = scope.get("client", self.client) if self.proxy else self.client
        remote = None if client is None else f"{client[0]}:{client[1]}" if client[1] else client[0]
        took = time.perf_counter() - began if began is not None else 0
        told: Mapping[str, object] = scope["state"].get("access", _NOTHING) if scope else _NOTHING
        fields = {**told, **more} if more else told
        self.log.add(Entry(remote, scope.get("method"), scope.get("path"), status, sent, took, fields))


def _told(scope: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the access log tells of a request, without its headers, in which there are secrets."""
    return {name: scope[name] for name in ("client", "method", "path", "state") if name in scope}
