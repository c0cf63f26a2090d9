"""Retention beside pushes and pulls under way, on PostgreSQL: it waits for who was quicker, and looks again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from registry.core.ports import Transaction
from registry.core.retention_run import NOTHING, Retained
from registry.core.tag_facts import Pull
from registry.metadata.postgres import PostgresMetadata
from registry.oci.digest import Digest
from registry.oci.errors import ManifestPartsUnknown
from registry.oci.names import Tag
from tests.contracts.test_collecting import APP, LAYER, image, index
from tests.contracts.test_deleting_races import beside
from tests.contracts.test_retention import MOMENT, House
from tests.support.postgres import postgres_server

OLD = Tag("old")


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_server().database() as url:
        yield url


@pytest.fixture
def pair(url: str) -> Iterator[tuple[House, House]]:
    """Two processes over one database: who pushes, and who carries out the rules."""
    with closing(PostgresMetadata(url, pool_size=3)) as one, closing(PostgresMetadata(url, pool_size=3)) as other:
        yield House(one), House(other)


def pushing(house: House, content: bytes, tag: Tag | None) -> Callable[[Transaction], object]:
    """The transaction of a push whose parts are there."""
    manifests = house.registry.manifests
    return manifests.plan(APP, tag or Digest.of(content), content, "", house.registry.admin)[1]


def pulling(digest: Digest) -> Callable[[Transaction], object]:
    """The transaction of a worker that writes down a pull."""
    return lambda tx: tx.pulls.note([Pull(APP, digest, 1, tx.now)])


@pytest.mark.parametrize("is_last", [True, False])
def test_a_tag_that_is_being_moved_stays(pair: tuple[House, House], url: str, is_last: bool) -> None:
    quick, retaining = pair
    quick.push("old")
    if not is_last:
        # The manifest stays, so that the tag alone is held.
        quick.registry.push(image(b"old"), Tag("stable"))
    quick.push("young")
    quick.registry.push_image(b"new", tag=None)
    retaining.rule("old young", last=1)
    retained = beside(url, quick.registry, pushing(quick, image(b"new"), OLD), retaining.run).result()
    assert retained == NOTHING
    assert retaining.undo.history(APP, OLD)[0].digest == Digest.of(image(b"new"))


@pytest.mark.parametrize("tag", ["old", "another"])
def test_a_manifest_that_is_being_pushed_again_stays_with_its_tags(
    pair: tuple[House, House], url: str, tag: str
) -> None:
    quick, retaining = pair
    (digest, _) = quick.push("old", "young")
    retaining.rule("old young", last=1)
    retained = beside(url, quick.registry, pushing(quick, image(b"old"), Tag(tag)), retaining.run).result()
    assert retained == NOTHING
    assert quick.serves(digest)
    assert "old" in quick.tags()


def test_a_manifest_whose_pull_is_being_written_down_stays(pair: tuple[House, House], url: str) -> None:
    quick, retaining = pair
    (digest, _) = quick.push("old", "young")
    retaining.rule("old young", last=1)
    assert beside(url, quick.registry, pulling(digest), retaining.run).result() == NOTHING
    assert quick.serves(digest)


def test_a_manifest_without_a_tag_that_an_index_is_about_to_list_stays(pair: tuple[House, House], url: str) -> None:
    quick, retaining = pair
    child = quick.registry.push_image(LAYER, tag=None)
    retaining.rule("nothing", untagged_after=MOMENT)
    retained = beside(url, quick.registry, pushing(quick, index(image(LAYER)), OLD), retaining.run).result()
    assert retained == NOTHING
    assert quick.serves(child)


def test_an_index_that_comes_too_late_is_told_what_is_missing(pair: tuple[House, House], url: str) -> None:
    quick, slow = pair
    child = quick.registry.push_image(LAYER, tag=None)

    def end(tx: Transaction) -> None:
        repository = tx.repositories.find(APP)
        assert repository is not None
        assert quick.retainer().deletion.hold(tx, repository, child)
        quick.retainer().deletion.end_manifest(tx, repository, child, quick.registry.admin)

    pushed = beside(url, quick.registry, end, lambda: slow.registry.push(index(image(LAYER)), OLD))
    with pytest.raises(ManifestPartsUnknown):
        pushed.result()


def test_two_processes_that_carry_out_the_same_rules_take_each_thing_once(pair: tuple[House, House], url: str) -> None:
    one, other = pair
    one.push(*(f"tag-{number}" for number in range(10)))
    one.rule(last=4)

    def take(tx: Transaction) -> None:
        assert tx.leases.take("retention", "b", tx.now + timedelta(minutes=5)) is not None

    # The lease is being given to another process just now.
    assert beside(url, other.registry, take, one.run).result() == NOTHING
    assert len(one.tags()) == 10
    assert other.retainer("b").run() == Retained(6, 6)
    other.collect()
    assert len(one.tags()) == 4
