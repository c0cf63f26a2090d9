"""Patterns over tags."""

from __future__ import annotations

import time

import pytest

from registry.core.patterns import PatternInvalid
from registry.core.tag_patterns import ALL_TAGS, LONGEST, NO_TAGS, TagPatterns
from registry.oci.names import Tag


@pytest.mark.parametrize(
    ("text", "matched", "others"),
    [
        ("latest", ["latest"], ["latest2", "Latest", "alatest"]),
        ("v1.*", ["v1.", "v1.2", "v1.2.3-rc.1"], ["v1", "v10.1", "v1x2"]),
        ("*", ["a", "_", "1.2-x"], []),
        ("*-rc*", ["1-rc", "-rc1", "x-rc.2-rc"], ["rc", "1-r"]),
        ("a*b*c", ["abc", "axbxc", "abbcc"], ["ab", "acb", "abcx"]),
        ("release-* latest", ["release-", "release-1", "latest"], ["release", "latest release-1"]),
    ],
)
def test_a_pattern_means_these_tags_and_no_others(text: str, matched: list[str], others: list[str]) -> None:
    patterns = TagPatterns.parse(text)
    assert [each for each in matched + others if patterns.match(Tag(each))] == matched


def test_none_means_no_tag_and_a_star_means_all() -> None:
    assert TagPatterns.parse("  ") == NO_TAGS
    assert (bool(NO_TAGS), bool(ALL_TAGS)) == (False, True)
    assert not NO_TAGS.match(Tag("x"))
    assert ALL_TAGS.match(Tag("x"))


def test_the_same_patterns_are_the_same_in_whatever_order() -> None:
    assert TagPatterns.parse(" b  a b") == TagPatterns.parse("a b")
    assert str(TagPatterns.parse("b a")) == "a b"


@pytest.mark.parametrize("text", ["a**", "a/b", "/v.*/", "é", "a b/c", "a\x00b", "[a]", "x" * (LONGEST + 1)])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(PatternInvalid):
        TagPatterns.parse(text)


def test_no_pattern_is_slow_to_match() -> None:
    patterns = TagPatterns.parse("*a" * 200 + "b")
    began = time.perf_counter()
    assert not patterns.match(Tag("a" * 128))
    assert time.perf_counter() - began < 1
