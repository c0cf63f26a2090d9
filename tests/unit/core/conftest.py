"""A registry without HTTP, on every store there is; and a clock to turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

import pytest

from registry.metadata import sqlite
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
