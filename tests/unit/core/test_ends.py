"""Robots that will expire soon: whoever reads the log, or the events, hears of each once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from structlog.testing import capture_logs

from registry.background import Background
from registry.core.ends import EndsWatch
from registry.core.people import PeopleService
from registry.core.tenure import Tenure
from tests.unit.core.house import House

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class Hours:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def watch(house: House, clock: Hours, holder: str = "a") -> EndsWatch:
    tenure = Tenure(house.metadata, "ends", holder)
    return EndsWatch(PeopleService(house.metadata), tenure, house.residents.anonymous, clock)


def add_robot(house: House, name: str, lifetime: timedelta) -> str:
    return PeopleService(house.metadata).add_robot("team", name, house.admin, lifetime=lifetime).name


def test_a_robot_that_expires_within_two_weeks_is_told_of_once(house: House) -> None:
    soon, _ = add_robot(house, "soon", 13 * DAY), add_robot(house, "later", 15 * DAY)
    clock = Hours()
    ends = watch(house, clock)
    assert [robot.name for robot in ends.run()] == [soon]
    clock.now += 2 * HOUR
    assert ends.run() == []
    events = house.rows("SELECT target FROM event WHERE action = 'robot.expiring'")
    assert events == [(soon,)]


def test_it_is_looked_for_once_an_hour(house: House) -> None:
    clock = Hours()
    ends = watch(house, clock)
    assert ends.run() == []
    soon = add_robot(house, "soon", DAY)
    clock.now += HOUR - timedelta(seconds=1)
    assert ends.run() == []
    clock.now += timedelta(seconds=1)
    assert [robot.name for robot in ends.run()] == [soon]


def test_while_one_process_looks_the_others_do_not_and_one_that_failed_tries_again(house: House) -> None:
    soon = add_robot(house, "soon", DAY)
    other = Tenure(house.metadata, "ends", "b")
    fence = other.take()
    assert fence is not None
    ends = watch(house, Hours())
    assert ends.run() == []
    other.release(fence)
    assert [robot.name for robot in ends.run()] == [soon]


def test_a_round_of_background_work_logs_a_warning_for_each(house: House) -> None:
    names = {add_robot(house, name, DAY) for name in ("one", "two")}
    background = Background((), None, timedelta(minutes=1), ends=watch(house, Hours()))
    with capture_logs() as lines:
        background.once()
        background.once()
    assert {line["robot"] for line in lines} == names
    assert len(lines) == 2
    assert all(line["log_level"] == "warning" and line["expires"] for line in lines)
