"""`registry.backup.daily`: the facts, once a day, and never at the cost of who pushes."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry.background import Background
from registry.backup.daily import DailyFacts
from registry.core.tenure import Tenure, TenureLost
from registry.metadata import facts_file
from registry.oci.errors import StorageFull
from tests.unit.core.house import APP, House

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass
class Clock:
    now: datetime = datetime(2026, 2, 27, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def daily(house: House, clock: Clock) -> DailyFacts:
    tenure = Tenure(house.metadata, "sweep", "daily")
    return DailyFacts(house.database, house.folder / "backups", 3, tenure, clock)


def kept(house: House) -> list[str]:
    folder = house.folder / "backups"
    return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []


def test_there_is_one_a_day_and_the_oldest_goes(house: House, daily: DailyFacts, clock: Clock) -> None:
    made = []
    for _ in range(5 * 4):
        made.append(daily.run())
        clock.now += 6 * HOUR
    assert len([each for each in made if each]) == 6
    assert kept(house) == ["registry-2026-03-02.db", "registry-2026-03-03.db", "registry-2026-03-04.db"]


def test_it_holds_the_facts_of_that_day(house: House, daily: DailyFacts) -> None:
    house.push_image("v1", APP, b"layer")
    made = daily.run()
    house.push_image("v2", APP, b"layer")
    assert made is not None
    assert made.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(made)) as connection:
        assert connection.execute("SELECT name FROM tag").fetchall() == [("v1",)]


def test_where_somebody_else_has_the_lease_it_waits_for_another_round(house: House, daily: DailyFacts) -> None:
    fence = house.sweeper.tenure.take()
    assert fence is not None
    assert (daily.run(), kept(house)) == (None, [])
    house.sweeper.tenure.release(fence)
    assert daily.run() is not None
    assert house.sweeper.tenure.take() is not None


def test_a_disk_with_little_room_is_left_alone_for_an_hour(
    house: House, daily: DailyFacts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    usage = shutil.disk_usage(house.folder)

    def narrow(_: Path) -> object:
        asked.append(clock.now)
        return usage._replace(free=house.database.stat().st_size)

    monkeypatch.setattr(shutil, "disk_usage", narrow)
    with pytest.raises(StorageFull):
        daily.run()
    for _ in range(3):
        assert daily.run() is None
    assert len(asked) == 1
    clock.now += HOUR
    monkeypatch.undo()
    assert daily.run() is not None


def test_what_fails_leaves_nothing_and_those_before_it(
    house: House, daily: DailyFacts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily.run()
    clock.now += DAY
    with monkeypatch.context() as patch:
        patch.setattr(facts_file, "check", _refuse)
        with pytest.raises(StorageFull):
            daily.run()
    assert kept(house) == ["registry-2026-02-27.db"]
    clock.now += HOUR
    assert daily.run() is not None


def test_what_a_kill_left_goes_with_the_next(house: House, daily: DailyFacts) -> None:
    (house.folder / "backups").mkdir()
    (house.folder / "backups/.registry-2026-02-01.db").write_bytes(bytes(1000))
    daily.run()
    assert kept(house) == ["registry-2026-02-27.db"]


def test_what_is_not_its_own_is_left_alone(house: House, daily: DailyFacts, clock: Clock) -> None:
    (house.folder / "backups").mkdir()
    (house.folder / "backups/registry-before-upgrade.db").touch()
    for _ in range(5):
        daily.run()
        clock.now += DAY
    assert len(kept(house)) == 4
    assert "registry-before-upgrade.db" in kept(house)


def test_a_round_of_background_work_makes_it_and_outlives_its_failure(
    house: House, daily: DailyFacts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    background = Background((), house.sweeper, timedelta(minutes=1), daily)
    with monkeypatch.context() as patch:
        patch.setattr(facts_file, "vacuum", _refuse)
        background.once()
    assert kept(house) == []
    clock.now += HOUR
    background.once()
    assert kept(house) == ["registry-2026-02-27.db"]


def _refuse(*_: object) -> None:
    raise StorageFull


def test_who_slept_through_its_lease_puts_nothing_in_place(
    house: House, daily: DailyFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process makes the same copy by then."""
    vacuum = facts_file.vacuum

    def sleep(source: Path, target: Path) -> None:
        vacuum(source, target)
        house.rows("UPDATE lease SET holder = 'theirs', fence = fence + 1")

    monkeypatch.setattr(facts_file, "vacuum", sleep)
    with pytest.raises(TenureLost):
        daily.run()
    assert kept(house) == []


def test_a_copy_of_a_day_that_has_not_come_costs_no_other_its_place(
    house: House, daily: DailyFacts, clock: Clock
) -> None:
    """As a clock leaves it that was wrong for a moment."""
    (house.folder / "backups").mkdir()
    for year in (2090, 2091, 2092):
        (house.folder / f"backups/registry-{year}-01-01.db").touch()
    assert (daily.run() is not None, daily.run()) == (True, None)
    clock.now += DAY
    daily.run()
    assert kept(house)[:2] == ["registry-2026-02-27.db", "registry-2026-02-28.db"]
