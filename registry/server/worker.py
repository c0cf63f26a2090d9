"""One worker: an event loop, the application, uvicorn around them."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Literal

import uvicorn

from registry.server.access_log import AccessLog
from registry.server.forwarded import Proxies
from registry.server.limits import Limits
from registry.server.protocol import HttpProtocol, protocol

WORKER = "ENTREPOT_WORKER"
"""The environment variable that holds this worker's index, from 0, when its application is made."""
GRACE = timedelta(seconds=5)
"""What a worker may take beyond `drain` to leave."""
_PARKING = timedelta(seconds=3)
"""The part of it in which applications put away what arrived of bodies that were cut off."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What to serve and how. `app` is `module:factory`; the factory takes nothing and is called in each worker."""

    app: str
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 1
    tls_cert: Path | None = None
    tls_key: Path | None = None
    access_log: bool = False
    limits: Limits = field(default_factory=Limits)
    proxies: Proxies = field(default_factory=Proxies)
    drain: timedelta = timedelta(seconds=20)
    """How long requests under way may take when the server is told to stop; then bodies still coming are cut off."""
    backlog: int = 2048
    loop: Literal["uvloop", "asyncio"] = "uvloop"
    lifespan: Literal["on", "off"] = "on"


def worker_index() -> int:
    """Which worker this process is; 0 where nobody said, which is right for a process that is alone."""
    return int(os.environ.get(WORKER, "0"))


def work(serving: Serving, index: int, sockets: Sequence[socket.socket], on_started: Callable[[], None]) -> None:
    """Serve on `sockets` until SIGTERM or SIGINT, and drain. Raises: SystemExit when the application does not start."""
    os.environ[WORKER] = str(index)
    log = AccessLog(file=1) if serving.access_log else None
    server = _Server(serving, log, on_started)
    try:
        with _signals_to(server):
            server.run(list(sockets))
    finally:
        server.last_resort.cancel()
        if log is not None:
            log.flush()


class _Server(uvicorn.Server):
    def __init__(self, serving: Serving, log: AccessLog | None, on_started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                serving.app,
                factory=True,
                loop=serving.loop,
                http=protocol(serving.limits, log, serving.proxies),
                ws="none",
                lifespan=serving.lifespan,
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=serving.backlog,
                timeout_graceful_shutdown=math.ceil((serving.drain + _PARKING).total_seconds()),
                ssl_certfile=serving.tls_cert,
                ssl_keyfile=serving.tls_key,
            )
        )
        self._on_started = on_started
        self._drain = serving.drain
        self._is_told = False
        # Whatever still runs then (a thread at a disk that does not answer, say) does not keep the process.
        self.last_resort = threading.Timer((serving.drain + GRACE).total_seconds(), os._exit, [1])
        self.last_resort.daemon = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        parking = asyncio.get_running_loop().call_later(self._drain.total_seconds(), self._park)
        try:
            await super().shutdown(sockets)
        finally:
            parking.cancel()

    def _park(self) -> None:
        """Wait no longer for bodies. Only then is the rest cancelled, which would lose what arrived."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, HttpProtocol):
                connection.park()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self._is_told:
            # First of all: another signal may come while the timer starts.
            self._is_told = True
            self.last_resort.start()
        super().handle_exit(sig, frame)


@contextmanager
def _signals_to(server: _Server) -> Iterator[None]:
    """Lose no signal before uvicorn listens, and survive uvicorn raising it again when it has stopped for it."""
    before = {number: signal.signal(number, server.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
