"""A repository that is deleted, restored or collected while others push to it, on PostgreSQL: one comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import TypeVar

import pytest

from registry.core.collect import Collected
from registry.core.facts import DeletedRepository, Repository
from registry.core.ports import Transaction
from registry.core.refusals import NotRestorable
from registry.core.repositories import RepositoryService
from registry.metadata.deletions import Deletions
from registry.metadata.postgres import PostgresMetadata
from registry.oci.digest import Digest
from registry.oci.errors import ManifestPartsUnknown, NameUnknown, UploadTakenOver, UploadUnknown
from registry.oci.names import RepositoryName
from tests.contracts.test_collecting import APP, DAY, LARGE, LAYER, V1, Registry, image
from tests.support.postgres import ask, postgres_server
from tests.support.together import together
from tests.system.waiting import eventually

T = TypeVar("T")
WITHIN = 30.0


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_server().database() as url:
        yield url


@pytest.fixture
def pair(url: str) -> Iterator[tuple[Registry, Registry]]:
    """Two processes over one database."""
    with closing(PostgresMetadata(url, pool_size=3)) as one, closing(PostgresMetadata(url, pool_size=3)) as other:
        yield Registry(one, undo_window=DAY), Registry(other, undo_window=DAY)


def delete(registry: Registry) -> str:
    return RepositoryService(registry.metadata, DAY).delete(APP, registry.admin).uuid


def beside(
    url: str,
    first: Registry,
    held: Callable[[Transaction], object],
    work: Callable[[], T],
    then: Callable[[Transaction], object] = lambda _: None,
) -> Future[T]:
    """`work` begins while a transaction is open that did `held` and will do `then`, and waits; what came of it."""
    with ThreadPoolExecutor(1) as pool:

        def open_meanwhile(tx: Transaction) -> Future[T]:
            held(tx)
            waiting = pool.submit(work)
            eventually("it waits, or is done", lambda: waiting.done() or _waits(url), WITHIN)
            assert not waiting.done(), waiting.exception() or waiting.result()
            then(tx)
            return waiting

        return first.metadata.transact(open_meanwhile)


def _waits(url: str) -> bool:
    return bool(
        ask(url, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    )


def hold(tx: Transaction) -> Repository:
    return tx.repositories.get_or_create(APP)


def test_a_push_that_came_first_goes_with_the_repository(pair: tuple[Registry, Registry], url: str) -> None:
    pushing, deleting = pair
    for each in (b"{}", LAYER):
        pushing.push_blob(each)
    push = pushing.manifests.plan(APP, V1, image(LAYER), "", pushing.admin)[1]
    uuid = beside(url, pushing, push, partial(delete, deleting)).result()
    assert pushing.metadata.observe(lambda tx: tx.repositories.find(APP)) is None
    RepositoryService(pushing.metadata, DAY).restore(uuid, pushing.admin)
    found = pushing.metadata.observe(lambda tx: tx.manifests.find(_found(tx, APP), V1))
    assert found == Digest.of(image(LAYER))
    pushing.check()


def test_a_push_that_came_second_is_one_to_a_repository_that_holds_nothing(
    pair: tuple[Registry, Registry], url: str
) -> None:
    deleting, pushing = pair
    deleting.push_image(LAYER)
    push = partial(pushing.push, image(LAYER))
    pushed = beside(url, deleting, _deletion(deleting), push)
    with pytest.raises(ManifestPartsUnknown):
        pushed.result()
    assert pushing.push_image(LAYER)
    pushing.check()


def test_a_session_begins_anew_where_one_was_deleted(pair: tuple[Registry, Registry], url: str) -> None:
    deleting, pushing = pair
    deleting.push_image(LAYER)
    begun = beside(url, deleting, _deletion(deleting), lambda: pushing.uploads.begin(APP, pushing.admin)).result()
    assert pushing.uploads.put_small(APP, begun, pushing.admin, Digest.of(LAYER), LAYER)
    assert pushing.serves(Digest.of(LAYER))


def test_a_session_that_begins_while_the_repository_is_being_deleted_ends_with_it(
    pair: tuple[Registry, Registry], url: str
) -> None:
    pushing, deleting = pair
    pushing.push_image(LAYER)

    def begin(tx: Transaction) -> None:
        tx.uploads.add("late", hold(tx), pushing.admin, "sha256", tx.now + DAY)

    beside(url, pushing, begin, partial(delete, deleting)).result()
    with pytest.raises(UploadUnknown):
        pushing.uploads.offset(APP, "late", pushing.admin)
    assert ask(url, "SELECT count(*) FROM upload") == [(0,)]


def test_nobody_takes_over_a_session_that_is_about_to_end(pair: tuple[Registry, Registry], url: str) -> None:
    pushing, deleting = pair
    session = pushing.uploads.begin(APP, pushing.admin)
    end = partial(pushing.uploads.offset, APP, session, pushing.admin)
    assert beside(url, deleting, lambda tx: tx.deletions.sessions(_found(tx, APP)), end).result() == 0


def test_a_session_that_is_being_taken_over_ends_too(pair: tuple[Registry, Registry], url: str) -> None:
    pushing, deleting = pair
    session = pushing.uploads.begin(APP, pushing.admin)

    def take_over(tx: Transaction) -> None:
        found = tx.uploads.find(APP, session)
        assert found is not None
        tx.uploads.take_over(found, tx.now + DAY)

    beside(url, pushing, take_over, partial(delete, deleting)).result()
    assert ask(url, "SELECT count(*) FROM upload") == [(0,)]


def test_a_commit_and_a_deletion_wait_for_one_another_in_one_order(
    pair: tuple[Registry, Registry], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushing, deleting = pair
    session = pushing.uploads.begin(APP, pushing.admin)
    tries, really = [], Deletions.delete

    def counted(deletions: Deletions, repository: Repository) -> DeletedRepository | None:
        tries.append(repository)
        return really(deletions, repository)

    monkeypatch.setattr(Deletions, "delete", counted)

    def finish(tx: Transaction) -> None:
        found = tx.uploads.find(APP, session)
        assert found is not None
        assert tx.uploads.finish(found, Digest.of(LAYER), tx.now + DAY)

    def link(tx: Transaction) -> None:
        tx.blobs.put_content(Digest.of(LAYER), LAYER)
        tx.links.put(hold(tx), Digest.of(LAYER), DAY)

    beside(url, pushing, finish, partial(delete, deleting), link).result()
    assert len(tries) == 1


def test_a_commit_that_came_first_is_deleted_and_one_that_came_second_is_refused(
    pair: tuple[Registry, Registry], url: str
) -> None:
    pushing, deleting = pair
    receptions = []
    for _ in range(2):
        session = pushing.uploads.begin(APP, pushing.admin)
        reception = pushing.uploads.receive(APP, session, pushing.admin, None)
        reception.append([LARGE])
        receptions.append(reception)
    digest = Digest.of(LARGE)
    receptions[0].commit(digest, pushing.admin)
    refused = beside(url, deleting, _deletion(deleting), lambda: receptions[1].commit(digest, pushing.admin))
    with pytest.raises(UploadTakenOver):
        refused.result()
    for each in receptions:
        each.close()
    assert not pushing.serves(digest)
    assert pushing.metadata.observe(lambda tx: tx.repositories.find(APP)) is None
    pushing.check()


def test_of_many_who_delete_it_one_does(pair: tuple[Registry, Registry]) -> None:
    pair[0].push_image(LAYER)

    def deleted(registry: Registry) -> bool:
        try:
            delete(registry)
        except NameUnknown:
            return False
        return True

    assert sorted(together(*(partial(deleted, each) for each in pair * 2))) == [False, False, False, True]


def test_of_several_that_come_back_under_one_name_one_does(pair: tuple[Registry, Registry]) -> None:
    uuids = []
    for content in (LAYER, LARGE):
        pair[0].push_image(content)
        uuids.append(delete(pair[0]))

    def restored(registry: Registry, uuid: str) -> bool:
        try:
            RepositoryService(registry.metadata, DAY).restore(uuid, registry.admin)
        except NotRestorable:
            return False
        return True

    assert sorted(together(*map(partial, [restored] * 2, pair, uuids))) == [False, True]


def test_a_repository_that_is_being_restored_is_not_taken_apart(pair: tuple[Registry, Registry]) -> None:
    restoring, collecting = pair
    restoring.push_image(LAYER)
    uuid = delete(restoring)
    impatient = Registry(collecting.metadata).collector

    def restore(tx: Transaction) -> Collected:
        deleted = tx.deletions.hold(uuid)
        assert deleted is not None
        tx.deletions.restore(deleted, APP)
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(impatient.run).result(timeout=WITHIN)

    collected = restoring.metadata.transact(restore)
    assert (collected.manifests, collected.repositories) == (0, 0)
    impatient.run()
    assert restoring.serves(Digest.of(LAYER))


def test_nothing_comes_back_in_part(pair: tuple[Registry, Registry], url: str) -> None:
    restoring, collecting = pair
    for content in (LAYER, LARGE):
        restoring.push_image(content, tag=None)
    uuid = delete(restoring)
    [(_, repository)] = restoring.metadata.observe(lambda tx: tx.dissolution.due(tx.now, (tx.now - DAY, 0), 10))

    def take_a_piece(tx: Transaction) -> int:
        assert tx.dissolution.take(repository, tx.now)
        return tx.dissolution.remove_manifests(repository, 1)

    restored = beside(
        url,
        collecting,
        take_a_piece,
        lambda: RepositoryService(restoring.metadata, DAY).restore(uuid, restoring.admin),
    )
    with pytest.raises(NotRestorable):
        restored.result()


def test_the_collector_passes_over_a_repository_that_somebody_is_about_to_push_to(
    pair: tuple[Registry, Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.core.collect_repositories.UNUSED_FOR", timedelta(0))
    pushing, collecting = pair
    pushing.uploads.cancel(APP, pushing.uploads.begin(APP, pushing.admin), pushing.admin)

    def begin(tx: Transaction) -> Collected:
        tx.uploads.add("begun", hold(tx), pushing.admin, "sha256", tx.now + DAY)
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(collecting.collect).result(timeout=WITHIN)

    assert pushing.metadata.transact(begin).repositories == 0
    assert pushing.uploads.offset(APP, "begun", pushing.admin) == 0


def test_two_collectors_take_one_repository_apart(pair: tuple[Registry, Registry]) -> None:
    for number in range(20):
        pair[0].push_image(b"layer %d" % number, tag=None)
    delete(pair[0])
    collectors = [Registry(each.metadata).collector for each in pair]
    for _ in range(3):
        together(*(each.run for each in collectors))
    assert pair[0].used() == {"team": 0}
    pair[0].check()


def _deletion(registry: Registry) -> Callable[[Transaction], object]:
    """What `RepositoryService.delete` holds, of a transaction that is open still."""

    def held(tx: Transaction) -> None:
        repository = _found(tx, APP)
        for session in tx.deletions.sessions(repository):
            tx.uploads.remove(session)
        assert tx.deletions.delete(repository)

    return held


def _found(tx: Transaction, name: RepositoryName) -> Repository:
    found = tx.repositories.find(name)
    assert found is not None
    return found
