"""A registry without HTTP, on every store there is; and a clock to turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

import pytest

from registry.core.sealing import Sealed
from registry.metadata import sqlite
from tests.unit.core.audit_log import Log
from tests.unit.core.house import House
from tests.unit.metadata.databases import quick_folder


@pytest.fixture(params=["memory", "filesystem"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with quick_folder() as folder, closing(House(folder, in_memory=request.param == "memory")) as house:
        yield house


@dataclass
class Clock:
    """The database's clock; it goes when it is turned."""

    micros: int

    def turn(self, span: timedelta) -> None:
        self.micros += span // timedelta(microseconds=1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(sqlite._now())
    monkeypatch.setattr(sqlite, "_now", lambda: clock.micros)
    return clock


@pytest.fixture
def log(clock: Clock) -> Iterator[Log]:
    with quick_folder() as folder, closing(House(folder)) as house:
        yield Log(house, clock)


@pytest.fixture
def chain(log: Log) -> Log:
    """Three seals over the events 1 to 3, 4 and 5, and 6 to 8; event 9 waits for one."""
    for targets in (["a", "b", "c"], ["d", "e"], ["f", "g", "h"]):
        log.write(*targets)
        assert log.seal() == Sealed(len(targets))
    log.write("i")
    return log
