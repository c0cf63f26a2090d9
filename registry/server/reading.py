"""From a connection's bytes to its requests: what the parser calls back, and what is refused on the way."""

from __future__ import annotations

import asyncio
import logging
import urllib.parse
from abc import abstractmethod
from typing import Any, ClassVar

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from registry.server.cycle import Cycle
from registry.server.forwarded import Proxies
from registry.server.framing import HEAD_TOO_LARGE, Refusal, framing
from registry.server.gather import RequestBody
from registry.server.limits import Limits
from registry.server.outlet import Outlet
from registry.server.repeats import LONGEST_HEAD, Repeat

_AT_ONCE = 8
"""Requests of one read that may be answered at once: the others leave the event loop to other connections first."""
_logger = logging.getLogger(__name__)


class Reading(HttpToolsProtocol):
    """The reading half of a connection.

    `deaf`: what arrives is not parsed any more, because the last request of the connection has been read or refused.
    `between`: nothing of the next request has arrived. `prompt`: how many more may be answered while this is parsed.
    `proxy`: who is at the other end, if that is one whose word is taken for where requests come from.
    """

    limits: ClassVar[Limits] = Limits()
    proxies: ClassVar[Proxies] = Proxies()
    outlet: Outlet

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.latest: Cycle | None = None
        self.deaf = False
        self.in_head = True
        self.begun = 0
        self.received = 0
        self.drained = 0
        self.surplus = 0
        self._events = 0
        self._barren = 0
        self.between = True
        self.prompt = 0
        self.asked_again = False
        self.repeatable: Repeat | None = None
        self.proxy = ""

    # What the other half does

    @abstractmethod
    def begin(self, cycle: Cycle) -> None:
        """Answer the request, when its turn has come."""

    @abstractmethod
    def answer_at_once(self) -> ASGI3Application | None:
        """Answer the request, which has no body, here and now; or who is to answer it in its turn."""

    @abstractmethod
    def repeats(self, asked: bytes) -> bool:
        """Answer these bytes, in which a request begins, as they were answered before; whether they were."""

    @abstractmethod
    def was_heard(self, asked: bytes) -> bool:
        """Whether these bytes came before, on whatever connection."""

    @abstractmethod
    def keep(self, asked: bytes, repeat: Repeat) -> None:
        """These bytes were one request, and this its answer."""

    @abstractmethod
    def refuse(self, refusal: Refusal) -> None:
        """Answer what is being read with `refusal`, when its turn has come, and then end the connection."""

    @abstractmethod
    def linger(self) -> None:
        """End the connection so that the client can still read the last response."""

    @abstractmethod
    def regulate(self) -> None:
        """Read on, or pause, as the state asks for."""

    @abstractmethod
    def demand(self, inlet: RequestBody) -> None:
        """The application asks for more of its body."""

    @abstractmethod
    def is_crowded(self) -> bool:
        """Whether no further request may wait for its turn."""

    # What the transport calls

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            self.surplus += len(data)
            self.regulate()
            return
        self.received += len(data)
        begun, events = self.begun, self._events
        short = self.between and len(data) <= LONGEST_HEAD
        # What a proxy says of its client is part of the request, and only of a proxy's.
        asked = self.proxy.encode() + data if self.proxy else data
        if short and self.repeats(asked):
            self.in_head = False
            self.begun += 1
            return
        self.asked_again = short and self.was_heard(asked)
        self.prompt = _AT_ONCE
        self.repeatable = None
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.deaf = True
        except httptools.HttpParserError as error:
            self._stumble(error)
        else:
            self._barren = 0 if self._events != events else self._barren + len(data)
            if self._barren > self.limits.head:
                self._bound()
            if self.asked_again:
                self._remember(asked, begun)

    def _remember(self, asked: bytes, begun: int) -> None:
        """Keep the answer, if these bytes were one request and no byte of another."""
        if self.repeatable is not None and self.between and self.begun == begun + 1:
            self.keep(asked, self.repeatable)

    def _stumble(self, error: httptools.HttpParserError) -> None:
        if self.deaf:
            # Something follows the last request; that it is no request of this connection is all that is wrong with it.
            self.surplus += 1
        else:
            self.refuse(_refusal(error))

    def _bound(self) -> None:
        """Limit what the parser swallows without an event: long heads, chunk extensions, trailers."""
        if not self.deaf:
            framing_too_large = Refusal(400, "the body's framing is too large")
            self.refuse(Refusal(431, HEAD_TOO_LARGE) if self.in_head else framing_too_large)

    # What the parser calls; a Refusal raised here comes back from `feed_data` as another error's context

    def on_message_begin(self) -> None:
        if self.latest is not None and self.is_crowded():
            self.latest.keep_alive = False
        if self.latest is not None and not self.latest.keep_alive:
            self.deaf = True
        if self.deaf:
            # uvicorn has llhttp read on after `Connection: close`; nobody here does.
            raise Refusal(400, "request after the last one")
        super().on_message_begin()
        self.between = False
        self.in_head = True
        self.begun += 1
        self._events += 1

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > self.limits.url:
            raise Refusal(414, f"the target is longer than {self.limits.url} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer comes later: nobody here asks for one, and none may pass for a header field.
        if self.in_head:
            self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.in_head = False
        self._events += 1
        version = self.parser.get_http_version()
        length, expects = framing(version, self.headers, self.limits.head)
        if self.parser.should_upgrade() and length != 0:
            # llhttp takes what follows for another protocol; parsed as HTTP, such a body would be a second request.
            raise Refusal(400, "upgrade of a request with a body")
        self._complete_scope(version)
        keep_alive = version != "1.0" and self.parser.should_keep_alive() and not self.parser.should_upgrade()
        app = self.answer_at_once() if keep_alive and length == 0 else self.app
        if app is None:
            self.latest = None
            return
        self.latest = self._cycle(
            RequestBody(length, self.demand, expects_continue=expects), app, keep_alive=keep_alive
        )
        self.drained = 0
        self.begin(self.latest)

    def on_body(self, body: bytes) -> None:
        cycle = self._latest()
        self._events += 1
        if not cycle.response_complete:
            cycle.inlet.feed(body)
            if cycle.inlet.full:
                self.regulate()
            return
        self.drained += len(body)
        if self.drained > self.limits.drained:
            self.linger()

    def on_message_complete(self) -> None:
        self._events += 1
        self.between = True
        cycle = self.latest
        if cycle is None:
            return
        cycle.inlet.finish()
        if not cycle.keep_alive:
            self.deaf = True

    # What a request becomes

    def _latest(self) -> Cycle:
        if self.latest is None:
            raise RuntimeError("a body before its head")
        return self.latest

    def _complete_scope(self, version: str) -> None:
        target = httptools.parse_url(self.url)
        if not target.path:
            raise Refusal(400, "the target has no path")
        path = target.path.decode("ascii")
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = self.root_path + (urllib.parse.unquote(path) if "%" in path else path)
        self.scope["raw_path"] = self.root_path.encode("ascii") + target.path
        self.scope["query_string"] = target.query or b""
        if self.proxy:
            self._look_behind()

    def _look_behind(self) -> None:
        """The client is who the proxy says, without a port."""
        origin = self.proxies.origin(self.proxy, self.headers)
        self.scope["client"] = origin.address, 0
        if origin.scheme is not None:
            self.scope["scheme"] = origin.scheme

    def _cycle(self, inlet: RequestBody, app: ASGI3Application, *, keep_alive: bool) -> Cycle:
        extensions: dict[str, dict[object, object]] = {
            "http.response.zerocopysend": {},
            "entrepot.gather": {"receive": inlet.gather},
        }
        if not self.outlet.secure:
            extensions["entrepot.relay"] = {}
        self.scope["extensions"] = extensions
        return Cycle(self, app, self.outlet, inlet, self.limits.drained, keep_alive=keep_alive)


def _refusal(error: httptools.HttpParserError) -> Refusal:
    """What went wrong, in the parser or in a callback of ours."""
    cause = error.__context__
    if isinstance(cause, Refusal):
        return cause
    if cause is None or isinstance(cause, httptools.HttpParserError):
        return Refusal(400, "malformed request")
    _logger.error("a request could not be read", exc_info=cause)
    return Refusal(500, "the request could not be read")
