"""What a rule of retention keeps, in words and as it is stored."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.keeps import LONGEST, MOST, NOTHING, Keeps, KeepsInvalid, told
from registry.core.tag_patterns import NO_TAGS, TagPatterns

DAY = timedelta(days=1)
counts = st.none() | st.integers(1, MOST)
spans = st.none() | st.integers(1, int(LONGEST.total_seconds())).map(lambda seconds: timedelta(seconds=seconds))
keeps = st.builds(
    Keeps, counts, spans, spans, st.sampled_from([NO_TAGS, TagPatterns("a* latest")]), counts, spans,
    keeps_manifests=st.booleans(),
)  # fmt: skip


@given(keeps)
def test_it_is_read_as_it_was_stored(kept: Keeps) -> None:
    assert Keeps.parse(kept.text) == kept


def test_it_is_told_in_words() -> None:
    kept = Keeps(10, 30 * DAY, timedelta(hours=36), TagPatterns("latest"), 3, DAY, keeps_manifests=True)
    assert str(kept) == (
        "the last 10 pushed, those pushed within 30d, those pulled within 36h, those like latest, the newest patch of "
        "the last 3 minor versions, every manifest, manifests without a tag for 1d"
    )
    assert (str(NOTHING), NOTHING.text) == ("nothing", "{}")


@pytest.mark.parametrize(
    ("seconds", "text"), [(86400, "1d"), (90000, "25h"), (90, "90s"), (5400, "90m"), (172800, "2d"), (0.25, "0.25s")]
)
def test_a_time_is_told_in_its_largest_whole_unit(seconds: float, text: str) -> None:
    assert told(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize("count", [0, -1, MOST + 1])
def test_a_number_has_its_bounds(count: int) -> None:
    for name in ("last", "minors"):
        with pytest.raises(KeepsInvalid):
            Keeps(**{name: count})  # type: ignore[arg-type]  # one of two names, both numbers


@pytest.mark.parametrize("span", [timedelta(0), -DAY, LONGEST + DAY])
def test_a_time_has_its_bounds(span: timedelta) -> None:
    for name in ("pushed_within", "pulled_within", "untagged_after"):
        with pytest.raises(KeepsInvalid):
            Keeps(**{name: span})  # type: ignore[arg-type]  # the same of spans


def test_a_rule_that_keeps_no_tag_speaks_of_none() -> None:
    assert not Keeps(untagged_after=DAY, keeps_manifests=True).speaks_of_tags
    for kept in (Keeps(last=1), Keeps(pushed_within=DAY), Keeps(like=TagPatterns("x")), Keeps(minors=2)):
        assert kept.speaks_of_tags
