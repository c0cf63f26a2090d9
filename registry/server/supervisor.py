"""Several workers, as processes: one that dies is replaced, and none outlives its parent.

    start --> ready --> dies --> waits, longer each time it dies young --> start
      |
      +-- dies before any worker was ready --> all stop, with its status: a server that cannot start says so

    SIGTERM or SIGINT: close the sockets, pass it on, wait for `drain`, kill what is left; a second signal kills at once

uvicorn's own supervisor does part of this. It shares one socket (see sockets); gives workers no index; starts one that
dies at once again without a pause; kills one that does not answer for five seconds, for which a suspended machine is
enough; and when it is killed itself, its workers stay and keep the port.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from registry.server.worker import GRACE, Serving, work

_logger = logging.getLogger(__name__)
# A fork would carry the parent's database connections and locks into every worker.
_spawn = multiprocessing.get_context("spawn")
_YOUNG = 10.0
_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class Supervisor:
    """The parent. `run` returns the status to leave with."""

    def __init__(self, serving: Serving, sockets: list[list[socket.socket]], on_ready: Callable[[], None]) -> None:
        self._serving = serving
        self._sockets = sockets
        self._on_ready = on_ready
        self._workers = [_Worker(serving, index, share) for index, share in enumerate(sockets)]
        self._ready: set[_Worker] = set()

    def run(self) -> int:
        """Keep the workers running until a signal says to stop, or until the first start fails."""
        with _signals() as told:
            status = self._keep(told)
            self._stop(told)
        return status

    def _keep(self, told: socket.socket) -> int:
        while True:
            for worker in self._workers:
                if worker.is_due():
                    worker.start()
            if told in wait([told, *self._news()], self._until_due()):
                told.recv(64)
                return 0
            for worker in self._workers:
                self._hear(worker)
                if worker.is_dead():
                    status = worker.bury()
                    if not self._ready:
                        return status or 1

    def _hear(self, worker: _Worker) -> None:
        if worker in self._ready or not worker.is_ready():
            return
        self._ready.add(worker)
        if len(self._ready) == len(self._workers):
            self._on_ready()

    def _news(self) -> list[int | Connection]:
        return [source for worker in self._workers for source in worker.news()]

    def _until_due(self) -> float | None:
        dues = [worker.due for worker in self._workers if worker.due is not None]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def _stop(self, told: socket.socket) -> None:
        for made in chain(*self._sockets):
            made.close()
        processes = [worker.process for worker in self._workers if worker.process is not None]
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + (self._serving.drain + GRACE).total_seconds()
        left = {process.sentinel for process in processes}
        while left and (remaining := deadline - time.monotonic()) > 0:
            news = wait([told, *left], remaining)
            left.difference_update(source for source in news if isinstance(source, int))
            if told in news:
                break
        for process in processes:
            process.kill()
            process.join()


class _Worker:
    """One place among the workers, and the process that holds it now."""

    def __init__(self, serving: Serving, index: int, sockets: list[socket.socket]) -> None:
        self._serving = serving
        self._index = index
        self._sockets = sockets
        self._deaths = 0
        self._started = 0.0
        self._hears: Connection | None = None
        self.process: SpawnProcess | None = None
        self.due: float | None = 0.0

    def is_due(self) -> bool:
        return self.due is not None and self.due <= time.monotonic()

    def start(self) -> None:
        self._hears, says = _spawn.Pipe(duplex=False)
        self.process = _spawn.Process(target=_run, args=(self._serving, self._index, self._sockets, says))
        self.process.start()
        says.close()
        self.due = None
        self._started = time.monotonic()

    def news(self) -> list[int | Connection]:
        """What to wait for: its death, and its word that it is ready."""
        return [
            *([self.process.sentinel] if self.process is not None else []),
            *([self._hears] if self._hears is not None else []),
        ]

    def is_ready(self) -> bool:
        """Whether it says just now that it is ready; it does so once."""
        if self._hears is None or not self._hears.poll():
            return False
        try:
            self._hears.recv_bytes()
        except EOFError:
            return False
        finally:
            self._hears.close()
            self._hears = None
        return True

    def is_dead(self) -> bool:
        return self.process is not None and not self.process.is_alive()

    def bury(self) -> int:
        """Take note of its death: its status. The place is due again after a pause."""
        if self.process is None:
            raise RuntimeError("a worker that was never started")
        status = self.process.exitcode or 0
        now = time.monotonic()
        self._deaths = 0 if now - self._started > _YOUNG else self._deaths + 1
        pause = min(_PAUSE * 2 ** (self._deaths - 1), _LONGEST_PAUSE) if self._deaths else 0.0
        self.process.close()
        self.process, self.due = None, now + pause
        _logger.error("worker %d died with status %d, its place is taken again in %.1f s", self._index, status, pause)
        return status


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket that is readable once a signal said to stop."""
    hears, says = socket.socketpair()
    hears.setblocking(False)
    says.setblocking(False)
    handlers = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    woken = signal.set_wakeup_fd(says.fileno())
    try:
        yield hears
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        hears.close()
        says.close()


def _run(serving: Serving, index: int, sockets: list[socket.socket], says: Connection) -> None:
    """What a worker's process does."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    work(serving, index, sockets, lambda: says.send_bytes(b"ready"))


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("a worker without a parent")
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
