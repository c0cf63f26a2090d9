"""Threads that run the registry's own transactions on PostgreSQL, statement by statement, each step when it is told to.

    with stepping(): …       every statement and every COMMIT of an actor is a step
    actor.advance()          takes the step that it stands before; then it stands before the next, waits, or is done

An actor *waits* when the server says that somebody holds the lock it wants. As nobody advances but the one that is told
to, what the server says then stays true until another one has advanced.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any, Final
from unittest.mock import patch

import psycopg

from registry.metadata import postgres
from registry.metadata.statements import Row, Statement
from tests.support.statements import names

COMMIT: Final = "COMMIT"
_AT_MOST_SECONDS: Final = 60.0
_QUICK_SECONDS: Final = 0.001
_of_this_thread: Final = threading.local()


class Standing(Enum):
    """Where an actor is."""

    READY = "ready"
    WAITING = "waiting"
    DONE = "done"


class Stopped(BaseException):
    """An actor that is let go: it ends wherever it stands."""


class Actor:
    """A thread that does `act`, and stands before each of its steps until it is told to take it."""

    def __init__(self, name: str, act: Callable[[], object], is_waiting: Callable[[int], bool]) -> None:
        """`is_waiting` tells whether this backend, by its process id, waits for a lock that somebody holds."""
        self.name = name
        self.standing = Standing.READY
        self.step = ""
        """The step that it stands before, or waits in."""
        self.outcome: object = None
        """What `act` returned, or the exception that it raised."""
        self._act = act
        self._is_waiting = is_waiting
        self._backend = 0
        self._leave, self._arrived = threading.Semaphore(0), threading.Event()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self.settle()

    def advance(self) -> None:
        """Take the step."""
        self._arrived.clear()
        self._leave.release()
        self.settle()

    def settle(self) -> None:
        """Come to know where it stands, after a step of its own or of who may have held it up."""
        deadline = time.monotonic() + _AT_MOST_SECONDS
        while not self._arrived.wait(_QUICK_SECONDS):
            if self._backend and self._is_waiting(self._backend):
                self.standing = Standing.WAITING
                return
            assert time.monotonic() < deadline, f"{self.name} neither comes back from {self.step} nor waits"
        self.standing = Standing.READY if self._thread_stands() else Standing.DONE

    def let_go(self) -> None:
        """It ends where it stands, or as soon as it waits no more."""
        self._is_stopped = True
        self._leave.release()

    def join(self) -> None:
        """See it end."""
        self._thread.join(_AT_MOST_SECONDS)

    def stand(self, step: str, backend: int) -> None:
        """Called by the thread itself, before each step."""
        self.step, self._backend = step, backend
        self._arrived.set()
        self._leave.acquire()
        if self._is_stopped:
            raise Stopped

    def _thread_stands(self) -> bool:
        return self.outcome is None

    def _run(self) -> None:
        _of_this_thread.actor = self
        try:
            outcome: object = self._act()
            self.outcome = True if outcome is None else outcome
        except BaseException as error:
            self.outcome = error
        self.step = ""
        self._arrived.set()


def _stand(step: str, driver: psycopg.Connection[Any]) -> None:
    actor: Actor | None = getattr(_of_this_thread, "actor", None)
    if actor is not None:
        actor.stand(step, driver.info.backend_pid)


@contextmanager
def stepping() -> Iterator[None]:
    """Meanwhile actors stand before each statement of a transaction or an observation, and before each COMMIT."""
    known_as = names()

    class Session(postgres.Session):
        def run(self, statement: Statement, /, **values: object) -> list[Row]:
            _stand(known_as[id(statement)], self._driver)
            return super().run(statement, **values)

        def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]], /) -> None:
            _stand(known_as[id(statement)], self._driver)
            super().run_many(statement, rows)

        def commit(self) -> None:
            _stand(COMMIT, self._driver)
            super().commit()

    class Observation(postgres.Observation):
        def run(self, statement: Statement, /, **values: object) -> list[Row]:
            _stand(known_as[id(statement)], self._cursor.connection)
            return super().run(statement, **values)

    with patch.object(postgres, "Session", Session), patch.object(postgres, "Observation", Observation):
        yield
