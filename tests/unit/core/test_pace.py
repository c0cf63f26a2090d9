"""`registry.core.pace`: a rate that is kept over any stretch of time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.core.pace import Pace

RATE = 1000


def test_what_was_read_is_rested_for_before_more_is_read() -> None:
    pace = Pace(RATE)
    assert pace.spend(500, now=10.0) == 0.5
    # Nobody has rested: the two add up.
    assert pace.spend(500, now=10.0) == 1.0
    assert pace.spend(1000, now=10.5) == 1.5


def test_time_that_passes_anyhow_is_no_rest_to_be_taken_again() -> None:
    pace = Pace(RATE)
    pace.spend(500, now=10.0)
    assert pace.spend(0, now=10.25) == 0.25
    assert pace.spend(0, now=11.0) == 0.0


def test_what_was_not_used_is_not_made_up_for() -> None:
    pace = Pace(RATE)
    pace.spend(1, now=0.0)
    assert pace.spend(1000, now=1000.0) == 1.0


@given(
    steps=st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 3)), min_size=1, max_size=50),
)
def test_over_no_stretch_is_more_read_than_the_rate_allows(steps: list[tuple[int, float]]) -> None:
    """But for the one piece with which a stretch begins."""
    pace, now, read = Pace(RATE), 0.0, list[tuple[float, int]]()
    for count, elapsed in steps:
        now += elapsed
        read.append((now, count))
        now += pace.spend(count, now)
    for first, (began, _) in enumerate(read):
        total = 0
        for at, count in read[first:]:
            assert total <= RATE * (at - began) + 1e-3
            total += count
