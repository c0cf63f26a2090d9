"""A server under test: in a thread of this process, with its own event loop and a handler for each path."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import uvicorn

from registry.server.access_log import AccessLog
from registry.server.forwarded import Proxies
from registry.server.limits import Limits
from registry.server.protocol import HttpProtocol, protocol
from registry.server.sockets import listen
from tests.unit.server.wire import PATIENCE, Wire

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
Loop = Literal["uvloop", "asyncio"]


class Site:
    """What a server answers, path by path; `requests` are those that reached an application."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.requests: list[tuple[str, str]] = []

    def clear(self) -> None:
        self.handlers.clear()
        self.requests.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.append((scope["method"], scope["path"]))
        await self.handlers.get(scope["path"], text(b"not here", 404))(scope, receive, send)


class Reply(NamedTuple):
    """What is answered at once."""

    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    holds: Callable[[], bool] | None = None


class PromptSite(Site):
    """A site that answers at once where `replies` has a reply, and where it has a handler lets that answer.

    `asked` are the requests that it was asked so, and whether their bytes had come before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.replies: dict[str, Reply | Handler] = {}
        self.asked: list[tuple[str, bool]] = []

    def clear(self) -> None:
        super().clear()
        self.replies.clear()
        self.asked.clear()

    def at_once(self, scope: Scope, asked_again: bool) -> Reply | Handler:
        self.asked.append((scope["path"], asked_again))
        return self.replies.get(scope["path"], self)


class Server(uvicorn.Server):
    """Runs `site` in a thread until `stop`."""

    def __init__(
        self,
        site: Site,
        loop: Loop,
        *,
        limits: Limits,
        log: AccessLog | None = None,
        proxies: Proxies | None = None,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        self.protocol: type[HttpProtocol] = protocol(limits, log, proxies)
        cert, key = tls or (None, None)
        super().__init__(
            uvicorn.Config(
                site,
                http=self.protocol,
                loop=loop,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=5,
                ssl_certfile=cert,
                ssl_keyfile=key,
            )
        )
        self._log = log
        self._sockets = listen("127.0.0.1", 0, shares=1, backlog=128)[0]
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._serve_in_thread, daemon=True)
        self.address: tuple[str, int] = self._sockets[0].getsockname()
        self.tls: ssl.SSLContext | None = None

    def begin(self) -> None:
        self._thread.start()
        assert self._up.wait(PATIENCE)

    def stop(self) -> None:
        self.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _serve_in_thread(self) -> None:
        self.run(self._sockets)
        if self._log is not None:
            self._log.flush()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._up.set()

    def connect(self, source: str = "", *, receive_buffer: int | None = None) -> Wire:
        """From this address of the machine's own."""
        sock = socket.socket()
        sock.bind((source, 0))
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(self.address)
        if self.tls is None:
            return Wire(sock)
        return Wire(self.tls.wrap_socket(sock, server_hostname="registry.test"))

    def is_at_rest(self) -> bool:
        """Whether no connection and no task is left."""
        return not self.server_state.connections and not self.server_state.tasks


def descriptors() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def eventually(holds: Callable[[], object]) -> bool:
    """Whether it comes to hold; this is how a test waits for another thread."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def text(body: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> Handler:
    """A handler that answers `body` and reads nothing."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, len(body), status, *headers)
        await send({"type": "http.response.body", "body": body})

    return answer


async def start(send: Send, length: int | None, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    """The head of a response; without a length, it comes in chunks."""
    known = [(b"content-length", b"%d" % length)] if length is not None else []
    await send({"type": "http.response.start", "status": status, "headers": [*known, *headers]})


def file_at(path: Path, offset: int = 0, count: int | None = None, *, length: bool = True) -> Handler:
    """A handler that sends a stretch of a file by zerocopysend."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        with path.open("rb") as file:
            size = path.stat().st_size - offset if count is None else count
            await start(send, size if length else None)
            message = {"type": "http.response.zerocopysend", "file": file, "offset": offset, "count": size}
            await send(message)

    return answer


def gather_all(limit: int, taken: list[list[bytes]]) -> Handler:
    """A handler that gathers its body, leaves what came in `taken`, and answers how long it was."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            chunks, more = await scope["extensions"]["entrepot.gather"]["receive"](limit)
            taken.append(chunks)
        size = sum(len(chunk) for chunks in taken for chunk in chunks)
        await text(b"%d" % size)(scope, receive, send)

    return answer
