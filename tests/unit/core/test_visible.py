"""What a listing shows is what may be pulled: no name more, none less, whatever limits a credential has."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from registry.core.access import Access
from registry.core.facts import Caller
from registry.core.patterns import EVERYTHING, Pattern
from registry.core.rights import Grant, Right, Rights
from registry.core.visible import ALL_VISIBLE, Stretch, Visible
from registry.oci.names import RepositoryName
from tests.support.naming import means, names, patterns

some_patterns = st.lists(patterns, max_size=4)
pulls = st.builds(Grant, st.just("alice"), patterns, st.sampled_from([("pull",), ("push",), ("pull", "push")]))
denials = st.builds(Grant, st.just("@devs"), patterns, st.sampled_from([("pull",), ("push",)]), st.just(True))


def shows(visible: Visible, name: RepositoryName) -> bool:
    return any(_shows(each, name.text) for each in visible.stretches)


def _shows(stretch: Stretch, name: str) -> bool:
    def matches(regex: str | None, otherwise: bool) -> bool:
        return otherwise if regex is None else re.search(f"^(?:{regex})$", name) is not None

    return (
        stretch.span.holds(name)
        and matches(stretch.allowed, True)
        and matches(stretch.within, True)
        and not matches(stretch.denied, False)
    )


@given(some_patterns, some_patterns, st.lists(names, max_size=20))
def test_what_is_allowed_and_not_denied_is_visible(
    allowed: list[Pattern], denied: list[Pattern], some: list[RepositoryName]
) -> None:
    visible = Visible.of(allowed, denied)
    for name in some:
        is_meant = [any(means(each.text, name.text) for each in several) for several in (allowed, denied)]
        assert shows(visible, name) is (is_meant == [True, False])


@given(some_patterns, some_patterns, some_patterns)
def test_stretches_are_in_order_and_do_not_overlap(
    allowed: list[Pattern], denied: list[Pattern], limits: list[Pattern]
) -> None:
    for visible in Visible.of(allowed, denied), Visible.of(allowed, denied).limited(Visible.of(limits)):
        spans = [each.span for each in visible.stretches]
        assert all(each.first < each.end for each in spans)
        assert all(former.end <= later.first for former, later in pairwise(spans))


@given(
    st.lists(pulls | denials, max_size=6),
    st.none() | st.lists(pulls, max_size=3),
    st.booleans(),
    st.booleans(),
    st.lists(names, max_size=20),
)
def test_a_caller_sees_what_it_may_pull(
    grants: list[Grant], limits: list[Grant] | None, is_admin: bool, by_group: bool, some: list[RepositoryName]
) -> None:
    caller = Caller(
        1, "alice", is_admin=is_admin, credential=1, rights=Rights(tuple(grants), is_admin=by_group),
        limits=None if limits is None else Rights(tuple(limits)),
    )  # fmt: skip
    visible = Access().visible(caller)
    for name in some:
        assert shows(visible, name) is Access().granted(caller, Right.PULL, name)


def test_who_may_pull_everything_has_no_name_compared() -> None:
    assert Visible.of([Pattern("team/app"), EVERYTHING]) == ALL_VISIBLE
    assert [each.is_whole for each in Visible.of([Pattern("team/**"), Pattern("app")]).stretches] == [True, True]
    assert [each.is_whole for each in Visible.of([Pattern("team/*")]).stretches] == [False]


def test_a_denial_is_asked_about_only_where_it_may_lie() -> None:
    visible = Visible.of([Pattern("a/**"), Pattern("b/**")], [Pattern("b/secret")])
    assert [each.is_whole for each in visible.stretches] == [True, False]
