"""Work that nobody waits for: it gives way to who serves."""

from __future__ import annotations

import pytest

from registry import background
from registry.background import EvenRest


class Watch:
    """A clock that only sleeping and working move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds

    def work(self, seconds: float) -> None:
        self.now += seconds


def test_after_a_piece_of_work_the_rest_is_as_long_and_never_long(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    monkeypatch.setattr(background, "time", watch)
    rest = EvenRest()
    for seconds in (0.01, 0.02, 3600, 0.01):
        watch.work(seconds)
        rest()
    assert watch.slept == [0.01, 0.02, 0.05, 0.01]
