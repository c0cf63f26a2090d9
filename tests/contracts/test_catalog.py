"""What every database lists to whoever may see a part: each name once, in order, whatever page is asked for."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.access import Access
from registry.core.facts import Caller
from registry.core.patterns import Pattern
from registry.core.ports import Metadata, Transaction
from registry.core.rights import Grant, Right, Rights
from registry.core.visible import ALL_VISIBLE, Visible
from registry.oci.digest import Digest
from registry.oci.manifest import Manifest
from registry.oci.media_types import OCI_MANIFEST
from registry.oci.names import RepositoryName
from tests.contracts.conftest import Worker
from tests.support.naming import patterns

WORDS = "a", "aa", "a-b", "a.b", "b0", "ba"
NAMES = sorted(
    [*WORDS, *map("/".join, product(WORDS, WORDS[:4])), *map("/".join, product("ab", WORDS[:2], WORDS[1:4]))]
)
NOT_LISTED = "a/begun", "b/emptied"
pulls = st.builds(Grant, st.just("alice"), patterns, st.just(("pull",)))
denials = st.builds(Grant, st.just("alice"), patterns, st.just(("pull",)), st.just(True))


@pytest.fixture
def listed(metadata: Metadata, worker: Worker) -> Worker:
    """Where all these were pushed; of two others one holds nothing yet, and one nothing any more."""

    def push(tx: Transaction) -> None:
        alice = tx.accounts.add("alice", "user")
        for name in (*NAMES, NOT_LISTED[1]):
            content = name.encode()
            repository = tx.repositories.get_or_create(RepositoryName(name))
            tx.manifests.put(repository, Digest.of(content), content, Manifest(OCI_MANIFEST, (), None, {}), alice)
            if name in NOT_LISTED:
                tx.manifests.delete(repository, Digest.of(content))
        tx.repositories.get_or_create(RepositoryName(NOT_LISTED[0]))

    metadata.transact(push)
    return worker


def names_of(worker: Worker, last: str, limit: int, visible: Visible) -> list[str]:
    return list(worker.ask(lambda reader: reader.catalog(last, limit, visible)))


def caller(grants: list[Grant], limits: list[Grant] | None, *, is_admin: bool = False) -> Caller:
    limited = None if limits is None else Rights(tuple(limits))
    return Caller(1, "alice", is_admin=is_admin, credential=1, rights=Rights(tuple(grants)), limits=limited)


def test_a_page_holds_what_the_caller_may_pull_and_begins_after_the_last_name(listed: Worker) -> None:
    @settings(max_examples=150)
    @given(
        st.lists(pulls | denials, max_size=6),
        st.none() | st.lists(pulls, max_size=3),
        st.booleans(),
        st.sampled_from(["", "0", "a", "a/", "a/a", "a/b", "a/~", "b/a/aa", "zz", "é", "A"]),
        st.integers(0, 60),
    )
    def page(grants: list[Grant], limits: list[Grant] | None, is_admin: bool, last: str, limit: int) -> None:
        who = caller(grants, limits, is_admin=is_admin)
        seen = [each for each in NAMES if Access().granted(who, Right.PULL, RepositoryName(each))]
        expected = [each for each in seen if each.encode() > last.encode()][:limit]
        assert names_of(listed, last, limit, Access().visible(who)) == expected

    page()


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_pages_one_after_the_other_are_the_whole_list(listed: Worker, limit: int) -> None:
    grants = [Grant("alice", Pattern(each), ("pull",)) for each in ("a/**", "*/a", "b*", "a.b/a-b")]
    visible = Access().visible(caller([*grants, Grant("alice", Pattern("a/a*/**"), ("pull",), denies=True)], None))
    pages = [names_of(listed, "", limit, visible)]
    while pages[-1]:
        pages.append(names_of(listed, pages[-1][-1], limit, visible))
    whole = names_of(listed, "", 1000, visible)
    assert [each for page in pages for each in page] == whole
    assert {"a/aa", "aa/a", "b0", "a.b/a-b"} <= set(whole)
    assert not {"a/aa/aa", "aa/aa", "a"} & set(whole)


def test_who_may_see_everything_sees_what_holds_something(listed: Worker) -> None:
    assert names_of(listed, "", 1000, ALL_VISIBLE) == NAMES


def test_a_thousand_grants_are_a_list_like_any_other(listed: Worker) -> None:
    others = [Pattern(f"c/{number}") for number in range(1000)]
    visible = Visible.of([*others, *map(Pattern, NAMES)], [*others, Pattern("a/*")])
    assert names_of(listed, "", 1000, visible) == [
        each for each in NAMES if not Pattern("a/*").matches(RepositoryName(each))
    ]
