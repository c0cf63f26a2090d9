"""Patterns over repository names: what each means, where its names lie, and what it costs to ask."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from operator import itemgetter

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from registry.core.patterns import EVERYTHING, Pattern, PatternInvalid, any_of
from registry.oci.names import LONGEST_NAME, RepositoryName
from tests.support.naming import means, named_and_widened, names, patterns, widened

BOMBS: dict[str, Callable[[int], tuple[str, str]]] = {
    "many stars in one component": lambda size: ("*a" * size + "*b", "a" * 10 * size),
    "stars before what is not there": lambda size: ("*a*/" + "*b" * size, "a" * size + "/" + "b" * (size - 1)),
    "two stars in each of many components": lambda size: ("*a*/" * size + "b", "aaaaaaa/" * size + "c"),
    "long words between stars": lambda size: (("*" + "a" * size + "b") * 3, "a" * 10 * size),
}
"""Patterns and names that they do not match, and that there are many ways to compare."""


@pytest.mark.parametrize(
    ("pattern", "matched", "others"),
    [
        ("team/app", ["team/app"], ["team/app2", "team", "team/app/x", "xteam/app", "app"]),
        ("alpine", ["alpine"], ["library/alpine", "alpine/x"]),
        ("team/*", ["team/app", "team/a.b_c"], ["team", "team/app/x", "teams/app"]),
        ("team/app-*", ["team/app-1", "team/app-x-y"], ["team/app", "team/app-1/x"]),
        ("*/app", ["team/app", "other/app"], ["app", "a/b/app"]),
        ("t*m", ["tm", "team", "tmm"], ["t/m", "teams"]),
        ("*a*b*", ["ab", "xaxbx", "aabb", "bab"], ["ba", "a", "b", "a/b"]),
        ("*ab*ab", ["abab", "ab-ab", "abxabab"], ["ab", "abax", "aab"]),
        ("team/**", ["team/app", "team/app/x", "team/a/b/c"], ["team", "teams/app", "xteam/app"]),
        ("*/dev/**", ["a/dev/b", "b/dev/c/d"], ["a/dev", "dev/x", "a/b/dev/c"]),
        ("**", ["a", "a/b", "a/b/c/d"], []),
        ("a.b", ["a.b"], ["axb", "a-b"]),
    ],
)
def test_a_pattern_means_these_names_and_no_others(pattern: str, matched: list[str], others: list[str]) -> None:
    parsed = Pattern.parse(pattern)
    assert [each for each in matched if not parsed.matches(RepositoryName.parse(each))] == []
    assert [each for each in others if parsed.matches(RepositoryName.parse(each))] == []


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "a/", "/a", "a//b", "**/a", "a/**/b", "a**", "***", "a/b**", "a/***", "A", "a b", "a:b", "a@b", "a?",
        "[a]", "a\n", "\n", "a\0", "é", "a" * 256, "a/" * 128,
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(PatternInvalid, match=r"\w"):
        Pattern.parse(text)


@given(patterns, names)
@example(Pattern("*a*a"), RepositoryName("aa"))
@example(Pattern("*ab*b"), RepositoryName("ab"))
@example(Pattern("a*/**"), RepositoryName("a/b"))
def test_a_pattern_matches_what_it_means(pattern: Pattern, name: RepositoryName) -> None:
    assert pattern.matches(name) is means(pattern.text, name.text)


@given(named_and_widened())
def test_all_names_of_a_pattern_lie_in_its_span(related: tuple[RepositoryName, Pattern, Pattern]) -> None:
    name, pattern, _ = related
    assert means(pattern.text, name.text)
    assert pattern.span.holds(name.text)


@given(patterns | named_and_widened().map(itemgetter(1)), names)
@example(Pattern("a/*/**"), RepositoryName("a/b"))
@example(Pattern("a*"), RepositoryName("ab/a"))
def test_a_pattern_that_fills_its_span_matches_all_that_lies_there(pattern: Pattern, name: RepositoryName) -> None:
    assert not pattern.fills_its_span or means(pattern.text, name.text) is pattern.span.holds(name.text)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("**", "a/*"), ("**", "**"), ("a/**", "a/**"), ("a/**", "a/b/**"), ("a/*", "a/b"), ("a/*", "a/b-*"),
        ("a/**", "a/*/c"), ("*/**", "a/**"), ("a*", "a*b*"), ("*a*", "b*a"),
    ],
)  # fmt: skip
def test_a_wider_pattern_covers_a_narrower_one(outer: str, inner: str) -> None:
    assert Pattern.parse(outer).covers(Pattern.parse(inner))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("a/*", "a/**"), ("a/**", "a"), ("a/**", "**"), ("a/**", "*/b"), ("*/**", "**"), ("a/b", "a/*"), ("a*", "*a"),
        ("a/**", "a*/**"), ("a*b", "a*"), ("*a", "*"),
    ],
)  # fmt: skip
def test_what_is_not_narrower_is_not_covered(outer: str, inner: str) -> None:
    assert not Pattern.parse(outer).covers(Pattern.parse(inner))


@given(named_and_widened(), st.lists(names, max_size=20))
def test_whatever_a_covered_pattern_matches_the_covering_one_matches_too(
    related: tuple[RepositoryName, Pattern, Pattern], some: list[RepositoryName]
) -> None:
    name, inner, outer = related
    event(f"covers: {outer.covers(inner)}")
    missed = [each for each in (name, *some) if means(inner.text, each.text) and not means(outer.text, each.text)]
    assert not (outer.covers(inner) and missed)


@given(patterns, names)
def test_a_pattern_covers_each_name_that_it_matches(pattern: Pattern, name: RepositoryName) -> None:
    assert pattern.covers(Pattern(name.text)) is means(pattern.text, name.text)


@given(names.flatmap(lambda name: st.tuples(widened(name.text), widened(name.text))))
def test_two_patterns_that_mean_one_name_meet(both: tuple[Pattern, Pattern]) -> None:
    one, other = both
    assert one.meets(other)
    assert other.meets(one)


def test_patterns_that_have_nothing_in_common_do_not_meet() -> None:
    assert not Pattern("team/**").meets(Pattern("teams/**"))
    assert not Pattern("team/app").meets(Pattern("team/app2"))
    assert Pattern("team/app-*").meets(EVERYTHING)


@given(st.lists(patterns, max_size=5), names)
def test_an_expression_for_several_matches_what_any_of_them_means(some: list[Pattern], name: RepositoryName) -> None:
    found = re.search(f"^(?:{any_of(some)})$", name.text) is not None
    assert found is any(means(each.text, name.text) for each in some)


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_no_pattern_makes_matching_slow(bomb: Callable[[int], tuple[str, str]]) -> None:
    # The first ones take seconds where ways are tried twice; the last ones would take for ever.
    for size in (6, 8, 9, 10, 60):
        pattern, name = bomb(size)
        parsed = Pattern.parse(pattern[:LONGEST_NAME].removesuffix("/"))
        began = time.process_time()
        assert not parsed.matches(RepositoryName(name[:LONGEST_NAME]))
        assert not parsed.covers(Pattern(name[:LONGEST_NAME]))
        assert time.process_time() - began < 1
