"""How often is too often: bounds that hold in whatever order uses come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.throttle import Allowance

START = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = timedelta(0)
ALLOWANCES = st.builds(Allowance, st.integers(1, 20), st.timedeltas(timedelta(microseconds=1), timedelta(minutes=1)))
# Often at the same instant, as a flood comes.
PAUSES = st.lists(st.one_of(st.just(NOTHING), st.timedeltas(NOTHING, timedelta(minutes=2))), max_size=60)


def uses(allowance: Allowance, pauses: list[timedelta]) -> list[datetime]:
    """The instants at which somebody who asks after each pause was let in."""
    now, until, let_in = START, None, list[datetime]()
    for pause in pauses:
        now += pause
        if not allowance.wait(until, now):
            until = allowance.used(until, now)
            let_in.append(now)
    return let_in


@given(ALLOWANCES, PAUSES)
def test_in_any_span_there_are_at_most_the_burst_and_one_for_each_interval(
    allowance: Allowance, pauses: list[timedelta]
) -> None:
    let_in = uses(allowance, pauses)
    for first, begin in enumerate(let_in):
        for last, end in enumerate(let_in[first:], first):
            assert last - first + 1 <= allowance.burst + (end - begin) / allowance.interval


@given(ALLOWANCES, PAUSES)
def test_who_waits_as_long_as_told_is_let_in_and_not_a_moment_sooner(
    allowance: Allowance, pauses: list[timedelta]
) -> None:
    until = None
    for pause in (NOTHING, *pauses):
        now = (until or START) - allowance.burst * allowance.interval + pause
        wait = allowance.wait(until, now)
        assert allowance.wait(until, now + wait) == NOTHING
        if wait:
            assert allowance.wait(until, now + wait - timedelta(microseconds=1))
        until = allowance.used(until, now + wait)


@given(ALLOWANCES, PAUSES)
def test_who_never_asks_more_often_than_the_interval_never_waits(allowance: Allowance, pauses: list[timedelta]) -> None:
    assert len(uses(allowance, [pause + allowance.interval for pause in pauses])) == len(pauses)


@given(ALLOWANCES)
def test_all_of_the_burst_is_had_at_once_and_again_once_everything_is_past(allowance: Allowance) -> None:
    often = [NOTHING] * (allowance.burst + 5)
    assert len(uses(allowance, often)) == allowance.burst
    assert len(uses(allowance, [*often, allowance.burst * allowance.interval, *often])) == 2 * allowance.burst


@pytest.mark.parametrize("late", [NOTHING, timedelta(days=1)])
def test_what_is_past_counts_no_more(late: timedelta) -> None:
    allowance = Allowance(1, timedelta(seconds=30))
    until = allowance.used(None, START)
    assert allowance.wait(until, until + late) == NOTHING
    assert allowance.used(until, until + late) == until + late + allowance.interval
