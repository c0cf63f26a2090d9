"""Who has been waited for too long. One timer per worker looks at every connection once a tick; requests cost nothing.

A connection tells what it is waiting for as a value. While the value stays the same, nothing has moved:

    head    the same request's head has not ended; bytes do not count, for dripping them in is the attack
    body    no byte of the body has arrived
    send    no byte of the response has been acknowledged
    idle    no request has begun
    linger  the last response is out, the client has not closed
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Protocol
from weakref import WeakKeyDictionary

_logger = logging.getLogger(__name__)


class Wait(Enum):
    """What a connection can be waiting for."""

    HEAD = "head"
    BODY = "body"
    SEND = "send"
    IDLE = "idle"
    LINGER = "linger"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a connection waits for, a value that changes with every progress, and how long that may take."""

    wait: Wait
    progress: object
    patience: timedelta


class Connection(Protocol):
    """What can be waited for."""

    def waiting(self) -> Waiting | None:
        """What is waited for now, None while the application is at work."""

    def expire(self, wait: Wait) -> None:
        """It took too long."""


class Watch:
    """All connections of one worker."""

    def __init__(self, tick: timedelta) -> None:
        self._tick = tick.total_seconds()
        self._seen: dict[Connection, tuple[Waiting | None, float]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Connection) -> None:
        """Look at `connection` from now on."""
        loop = asyncio.get_running_loop()
        self._seen[connection] = (connection.waiting(), loop.time())
        if self._timer is None:
            self._timer = loop.call_later(self._tick, self._look, loop)

    def discard(self, connection: Connection) -> None:
        """It is gone."""
        self._seen.pop(connection, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        for connection in list(self._seen):
            try:
                if connection in self._seen:
                    self._look_at(connection, loop.time())
            except Exception:
                # One connection's trouble must not end the patience with all others.
                _logger.exception("a connection could not be looked at")
        self._timer = loop.call_later(self._tick, self._look, loop) if self._seen else None

    def _look_at(self, connection: Connection, now: float) -> None:
        before, since = self._seen[connection]
        waiting = connection.waiting()
        if waiting != before:
            self._seen[connection] = (waiting, now)
        elif waiting is not None and now - since >= waiting.patience.total_seconds():
            # Seen as of now: should the connection outlive this, it gets the same time again.
            self._seen[connection] = (waiting, now)
            connection.expire(waiting.wait)


_watches: WeakKeyDictionary[object, Watch] = WeakKeyDictionary()


def watch_of(server: object, tick: timedelta) -> Watch:
    """The one watch of `server`, which is whatever lives exactly as long as a worker's event loop serves."""
    if server not in _watches:
        _watches[server] = Watch(tick)
    return _watches[server]
