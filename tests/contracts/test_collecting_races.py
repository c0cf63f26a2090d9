"""The collector beside pushes that are under way on PostgreSQL: it passes over what they hold, and waits for nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from registry.core.collect import Collected
from registry.core.ports import Transaction
from registry.core.undo import UndoService
from registry.metadata.postgres import PostgresMetadata
from registry.oci.digest import Digest
from registry.oci.errors import ManifestUnknown
from registry.oci.manifest import Kind, Reference
from tests.contracts.test_collecting import APP, CONFIG, LARGE, LAYER, V1, Registry, image
from tests.support.postgres import postgres_server

NOTHING = Collected()


@pytest.fixture
def pair() -> Iterator[tuple[Registry, Registry]]:
    """Two processes over one database: who pushes, and who collects."""
    with (
        postgres_server().database() as url,
        closing(PostgresMetadata(url, pool_size=2)) as one,
        closing(PostgresMetadata(url, pool_size=2)) as other,
    ):
        yield Registry(one), Registry(other)


def meanwhile(pushing: Registry, collecting: Registry, held: Callable[[Transaction], object]) -> Collected:
    """What the collector does while a transaction that did `held` is open; that commits afterwards."""

    def work(tx: Transaction) -> Collected:
        held(tx)
        with ThreadPoolExecutor(1) as pool:
            # It waits for nobody: neither would come to an end.
            return pool.submit(collecting.collect).result(timeout=20)

    return pushing.metadata.transact(work)


def test_parts_that_a_push_has_found_stay_until_it_has_named_them(pair: tuple[Registry, Registry]) -> None:
    pushing, collecting = pair
    digests = [pushing.push_blob(each) for each in (CONFIG, LAYER)]

    def push(tx: Transaction) -> None:
        repository = tx.repositories.get_or_create(APP)
        parts = [Reference(Kind.LAYER, each, 1, "x/y") for each in digests]
        assert tx.manifests.missing(repository, parts) == []

    assert meanwhile(pushing, collecting, push) == NOTHING
    assert all(map(pushing.serves, digests))
    # It came to nothing, so they go now.
    assert collecting.collect().blobs == 2


def test_a_push_that_has_named_its_parts_is_seen_by_who_held_them_after_it(pair: tuple[Registry, Registry]) -> None:
    pushing, collecting = pair
    digests = [pushing.push_blob(each) for each in (CONFIG, LAYER)]
    pushing.push(image(LAYER))
    assert collecting.collect().kept == 2
    assert all(map(pushing.serves, digests))


def test_a_lease_that_is_being_renewed_is_seen(pair: tuple[Registry, Registry]) -> None:
    pushing, collecting = pair
    digest = pushing.push_blob(LAYER)

    def renew(tx: Transaction) -> None:
        assert tx.links.renew(tx.repositories.get_or_create(APP), digest, timedelta(days=1))

    assert meanwhile(pushing, collecting, renew) == NOTHING
    collecting.collect()
    assert pushing.serves(digest)


def test_a_blob_that_is_being_pushed_again_stays_though_its_last_link_is_gone(pair: tuple[Registry, Registry]) -> None:
    pushing, collecting = pair
    digest = pushing.push_blob(LAYER)

    def push_again(tx: Transaction) -> None:
        tx.blobs.put_content(digest, LAYER)

    collected = meanwhile(pushing, collecting, push_again)
    assert (collected.links, collected.blobs) == (1, 0)
    assert pushing.push_blob(LAYER) == digest
    collecting.metadata.transact(lambda tx: tx.links.renew(tx.repositories.get_or_create(APP), digest, timedelta(1)))
    collecting.collect()
    assert pushing.serves(digest)
    pushing.check()


def test_a_blob_whose_new_push_comes_to_nothing_goes_later(pair: tuple[Registry, Registry]) -> None:
    pushing, collecting = pair
    digest = pushing.push_blob(LAYER)

    def push_in_vain(tx: Transaction) -> None:
        tx.blobs.put_content(digest, LAYER)
        with ThreadPoolExecutor(1) as pool:
            collected = pool.submit(collecting.collect).result(timeout=20)
        assert (collected.links, collected.blobs) == (1, 0)
        raise ManifestUnknown

    with pytest.raises(ManifestUnknown):
        pushing.metadata.transact(push_in_vain)
    assert collecting.collect().blobs == 1


def test_a_manifest_that_is_being_restored_by_a_push_stays(pair: tuple[Registry, Registry]) -> None:
    pushing, collecting = pair
    digest = pushing.push_image(LAYER)
    pushing.manifests.delete(APP, digest, pushing.admin)
    plan = pushing.manifests.plan(APP, digest, image(LAYER), "", pushing.admin)[1]
    collected = meanwhile(pushing, collecting, plan)
    assert (collected.manifests, collected.links) == (0, 0)
    for _ in range(3):
        collecting.collect()
    assert pushing.serves(Digest.of(LAYER))
    pushing.check()


def test_two_collectors_take_each_thing_once(pair: tuple[Registry, Registry]) -> None:
    pushing, collecting = pair
    for number in range(100):
        pushing.push_blob(b"blob %d" % number)
    pushing.push_blob(LARGE)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            list(pool.map(Registry.collect, pair))
    assert pushing.used() == {"team": 0}
    assert len(collecting.doomed()) == 1
    pushing.check()


def test_two_restores_of_a_tag_beside_the_collector_bring_it_back_once(pair: tuple[Registry, Registry]) -> None:
    pushing, collecting = (replace(each, undo_window=timedelta(days=1)) for each in pair)
    digest = pushing.push_image(LAYER, LARGE)
    pushing.manifests.delete(APP, digest, pushing.admin)
    undo = [UndoService(each.metadata, timedelta(days=1)) for each in (pushing, collecting)]
    with ThreadPoolExecutor(3) as pool:
        restored = [pool.submit(each.restore_tag, APP, V1, pushing.admin) for each in undo]
        collected = pool.submit(collecting.collect)
        outcomes = [_outcome(each) for each in restored]
        collected.result(timeout=60)
    # Who comes second finds the tag where it was, and nothing before that.
    assert digest in outcomes
    assert {type(each) for each in outcomes} <= {Digest, ManifestUnknown}
    for _ in range(3):
        collecting.collect()
    history = undo[0].history(APP, V1)
    assert [(each.digest, each.ended is None) for each in history] == [(digest, True), (digest, False)]
    assert all(pushing.serves(Digest.of(each)) for each in (CONFIG, LAYER, LARGE))
    pushing.check()


def _outcome(future: Future[Digest]) -> Digest | BaseException:
    return future.exception(timeout=60) or future.result()
