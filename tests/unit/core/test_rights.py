"""What grants add up to: decided as a few lines that know nothing of how decide it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.core.patterns import EVERYTHING, Pattern, PatternInvalid
from registry.core.rights import (
    PRESETS,
    WORDS,
    ActionsInvalid,
    Grant,
    Right,
    Rights,
    limits_text,
    parse_actions,
    parse_limits,
)
from registry.oci.names import RepositoryName
from tests.support.naming import means, named_and_widened, names, patterns, widened

MEANING = {
    "pull": {"pull"}, "create": {"push"}, "push": {"push", "move"}, "move": {"move"}, "delete": {"delete"},
    "admin": {"admin"},
}  # fmt: skip
"""Each word of a grant, and what requests may do by it."""

rights = st.sampled_from([each for each in Right if each is not Right.CATALOG])
actions = st.lists(st.sampled_from(list(WORDS)), min_size=1, max_size=3).map(parse_actions)
APP, OTHER = RepositoryName("team/app"), RepositoryName("other/app")


@st.composite
def question(draw: st.DrawFn) -> tuple[list[Grant], RepositoryName]:
    """Some grants and denials, and a name that several of them speak of."""
    name = draw(names)
    of_name = st.deferred(lambda: widened(name.text))
    each = st.builds(Grant, st.sampled_from(["alice", "@devs"]), of_name | patterns, actions, st.booleans())
    return draw(st.lists(each, max_size=6)), name


def may(grants: list[Grant], right: Right, name: RepositoryName) -> bool:
    spoken = [
        each
        for each in grants
        if any(right.value in MEANING[word] for word in each.actions) and means(each.pattern.text, name.text)
    ]
    return bool(spoken) and not any(each.denies for each in spoken)


@given(question(), rights)
def test_a_right_is_held_where_something_grants_it_and_nothing_denies_it(
    asked: tuple[list[Grant], RepositoryName], right: Right
) -> None:
    grants, name = asked
    assert Rights(tuple(grants)).hold(right, name) is may(grants, right, name)


@given(question(), rights, st.randoms())
def test_the_order_of_grants_decides_nothing(
    asked: tuple[list[Grant], RepositoryName], right: Right, chance: Random
) -> None:
    grants, name = asked
    shuffled = chance.sample(grants, len(grants))
    assert Rights(tuple(grants)).hold(right, name) is Rights(tuple(shuffled)).hold(right, name)


@given(question(), rights)
def test_a_verdict_names_a_grant_that_decides(asked: tuple[list[Grant], RepositoryName], right: Right) -> None:
    grants, name = asked
    verdict = Rights(tuple(grants)).verdict(right, name)
    if verdict.because is None:
        assert not verdict.holds
        # Nothing speaks of it, so that whoever grants it decides.
        assert may([*grants, Grant("alice", EVERYTHING, tuple(WORDS))], right, name)
    else:
        assert verdict.because in grants
        # By itself it says the same.
        assert may([verdict.because], right, name) is verdict.holds is not verdict.because.denies


@given(named_and_widened(), question(), rights)
@example((APP, Pattern("team/**"), EVERYTHING), ([Grant("a", EVERYTHING, ("admin",))], APP), Right.ADMIN)
def test_what_is_held_throughout_a_pattern_is_held_on_each_of_its_names(
    related: tuple[RepositoryName, Pattern, Pattern], asked: tuple[list[Grant], RepositoryName], right: Right
) -> None:
    name, inner, outer = related
    grants = [*asked[0], Grant("alice", outer, tuple(WORDS))]
    assert not Rights(tuple(grants)).hold_throughout(right, inner) or may(grants, right, name)


def test_what_is_denied_on_a_part_is_not_held_throughout() -> None:
    granted = Grant("alice", Pattern("team/**"), ("admin",))
    denied = Grant("alice", Pattern("team/app"), ("admin",), denies=True)
    assert Rights((granted,)).hold_throughout(Right.ADMIN, Pattern("team/*"))
    assert not Rights((granted, denied)).hold_throughout(Right.ADMIN, Pattern("team/*"))
    assert Rights((granted, denied)).hold_throughout(Right.ADMIN, Pattern("team/other"))
    assert not Rights((granted,)).hold_throughout(Right.PULL, Pattern("team/*"))


def test_a_right_is_held_somewhere_when_some_grant_gives_it() -> None:
    assert Rights((Grant("a", Pattern("x"), ("push",)),)).hold_anywhere(Right.MOVE)
    assert not Rights((Grant("a", Pattern("x"), ("create",)),)).hold_anywhere(Right.MOVE)
    assert not Rights((Grant("a", Pattern("x"), ("pull",), denies=True),)).hold_anywhere(Right.PULL)


# Words


def test_every_word_is_in_the_table_with_its_rights() -> None:
    assert {word: {each.value for each in held} for word, held in WORDS.items()} == MEANING


@pytest.mark.parametrize(
    ("words", "parsed"),
    [
        (["pull"], ("pull",)),
        (["delete", "pull", "pull"], ("pull", "delete")),
        (["reader"], ("pull",)),
        (["creator"], ("pull", "create")),
        (["writer", "delete"], ("pull", "push", "delete")),
        (["maintainer"], ("pull", "push", "delete")),
        (["owner"], ("pull", "push", "delete", "admin")),
    ],
)
def test_words_are_spelt_out_in_one_order(words: list[str], parsed: tuple[str, ...]) -> None:
    assert parse_actions(words) == parsed
    # Each preset gives what the one before gives, and more.
    assert [*PRESETS] == ["reader", "creator", "writer", "maintainer", "owner"]


@pytest.mark.parametrize("words", [[], ["fly"], ["pull", ""], ["*"], ["PULL"], ["pull,push"]])
def test_other_words_are_refused_and_the_right_ones_named(words: list[str]) -> None:
    with pytest.raises(ActionsInvalid, match="reader"):
        parse_actions(words)


# Limits


@given(st.lists(st.builds(Grant, st.just(""), patterns, actions), min_size=1, max_size=4))
def test_limits_are_read_as_they_were_written(limits: list[Grant]) -> None:
    read = parse_limits(limits_text(limits))
    assert read is not None
    assert sorted(read.grants, key=str) == sorted(limits, key=str)


def test_no_limits_are_none_at_all() -> None:
    assert limits_text([]) == ""
    assert parse_limits("") is None


@pytest.mark.parametrize("text", ["pull", "fly team/app", "pull team//app", "pull team/app\n", " team/app"])
def test_limits_that_cannot_be_read_open_nothing(text: str) -> None:
    with pytest.raises((ActionsInvalid, PatternInvalid)):
        parse_limits(text)
