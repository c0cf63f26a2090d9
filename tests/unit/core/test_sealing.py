"""Sealing: everything once, in no order that matters, and only old things go."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.core import sealing
from registry.core.sealing import Sealed, Sealer
from tests.unit.core.audit_log import DAY, Log


def test_for_ever_is_for_ever(chain: Log) -> None:
    chain.clock.turn(4000 * DAY)
    assert Sealer(chain.house.metadata, chain.sealer.tenure, timedelta(0)).run() == Sealed(1)


def test_events_that_are_seconds_old_wait(log: Log) -> None:
    log.write("a", "b")
    assert log.sealer.run() == Sealed(1)
    assert log.seal() == Sealed(1)


def test_a_late_one_of_a_lower_id_is_sealed_next(log: Log) -> None:
    log.write("early")
    log.sql("UPDATE event SET id = 50")
    assert log.seal() == Sealed(1)
    log.write("late")
    log.sql("UPDATE event SET id = 2 WHERE target = 'late'")
    assert log.seal() == Sealed(1)
    assert log.verify().holds


def test_more_than_fits_under_one_seal_goes_under_several(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "MOST_SEALED", 3)
    log.write(*"abcdefg")
    assert log.seal() == Sealed(7)
    assert [row[0] for row in log.sql("SELECT events FROM seal ORDER BY id")] == [3, 3, 1]
    assert log.verify().holds
