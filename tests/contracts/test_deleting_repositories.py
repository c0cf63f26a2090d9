"""Whole repositories, deleted on every database: gone at once, back as they were, and in the end given back exactly."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from registry.core import collect_repositories
from registry.core.facts import DeletedRepository
from registry.core.ports import Metadata, Transaction
from registry.core.refusals import DeletedRepositoryUnknown, NotDeleted, NotRestorable
from registry.core.repositories import RepositoryService
from registry.core.sweep import COLLECTOR_PAUSED
from registry.core.undo import UndoService
from registry.core.visible import ALL_VISIBLE
from registry.metadata.schema import repository
from registry.oci.digest import Digest
from registry.oci.errors import ManifestUnknown, NameUnknown, UploadTakenOver, UploadUnknown
from registry.oci.names import RepositoryName, Tag
from tests.contracts.conftest import Worker
from tests.contracts.test_collecting import APP, DAY, LARGE, LAYER, NOTHING, OTHER, V1, Registry, image, index

V2, ELSEWHERE, RENAMED = Tag("v2"), RepositoryName("away/app"), RepositoryName("team/renamed")
BEFORE_ALL = datetime(1969, 1, 1, tzinfo=UTC), 0


class Killed(Exception):
    """As a process is."""


@pytest.fixture
def registry(metadata: Metadata) -> Registry:
    return Registry(metadata, undo_window=DAY)


@pytest.fixture
def repositories(metadata: Metadata) -> RepositoryService:
    return RepositoryService(metadata, DAY)


def delete(registry: Registry, name: RepositoryName = APP) -> DeletedRepository:
    return RepositoryService(registry.metadata, DAY).delete(name, registry.admin)


def points_to(registry: Registry, tag: Tag = V1, name: RepositoryName = APP) -> Digest | None:
    def look(tx: Transaction) -> Digest | None:
        repository = tx.repositories.find(name)
        return None if repository is None else tx.manifests.find(repository, tag)

    return registry.metadata.observe(look)


def names(registry: Registry) -> list[str]:
    return list(registry.metadata.observe(lambda tx: tx.repositories.page(ALL_VISIBLE, "", 100)))


def deleted_rows(metadata: Metadata) -> int:
    return len(metadata.observe(lambda tx: tx.dissolution.due(tx.now, BEFORE_ALL, 100)))


def collected(registry: Registry, *, window: timedelta = NOTHING) -> None:
    """As often as it takes; the windows of deleted manifests are over, and those of repositories after `window`."""
    patient = Registry(registry.metadata, undo_window=window)
    for _ in range(4):
        patient.collect()


# Gone at once


def test_a_deleted_repository_is_gone_for_whoever_reads(registry: Registry, worker: Worker) -> None:
    digest = registry.push_image(LAYER)
    registry.push_image(LAYER, name=OTHER)
    delete(registry)
    assert not worker.ask(lambda reader: reader.knows(APP))
    assert worker.ask(lambda reader: reader.manifest(APP, V1)) is None
    assert worker.ask(lambda reader: reader.manifest(APP, digest)) is None
    assert worker.ask(lambda reader: reader.blob(APP, Digest.of(LAYER))) is None
    assert worker.ask(lambda reader: reader.tags(APP, "", 10)) == []
    assert worker.ask(lambda reader: reader.catalog("", 10)) == names(registry) == [str(OTHER)]


def test_nothing_is_mounted_from_a_deleted_repository(registry: Registry) -> None:
    registry.push_image(LARGE)
    delete(registry)
    digest = Digest.of(LARGE)
    assert registry.blobs.find_source(digest, lambda _: True) is None
    assert not registry.blobs.mount(OTHER, digest, APP, registry.admin)


def test_what_is_not_there_is_not_deleted(registry: Registry) -> None:
    with pytest.raises(NameUnknown):
        delete(registry)
    registry.push_image()
    delete(registry)
    with pytest.raises(NameUnknown):
        delete(registry)


def test_its_upload_sessions_end_with_it(registry: Registry) -> None:
    receiving, idle = (registry.uploads.begin(APP, registry.admin) for _ in range(2))
    reception = registry.uploads.receive(APP, receiving, registry.admin, None)
    reception.append([LARGE])
    delete(registry)
    with pytest.raises(UploadTakenOver):
        reception.acknowledge()
    with pytest.raises(UploadTakenOver):
        reception.commit(Digest.of(LARGE), registry.admin)
    reception.close()
    for session in (receiving, idle):
        with pytest.raises(UploadUnknown):
            registry.uploads.receive(APP, session, registry.admin, None)
        assert registry.uploads.peek(APP, session, registry.admin) is None
    assert len(registry.doomed()) == 1
    assert registry.metadata.observe(lambda tx: tx.repositories.find(APP)) is None


# Its name is free


def test_whoever_pushes_there_makes_another_repository(registry: Registry) -> None:
    former = registry.push_image(LAYER)
    delete(registry)
    with pytest.raises(ManifestUnknown):
        registry.manifests.delete(APP, former, registry.admin)
    latter = registry.push_image(LARGE)
    assert points_to(registry) == latter
    assert not registry.serves(Digest.of(LAYER))
    registry.check()


# Back as it was


def test_it_comes_back_as_it_was(registry: Registry, repositories: RepositoryService) -> None:
    undo = UndoService(registry.metadata, DAY)
    first, second = registry.push_image(LAYER), registry.push_image(LARGE)
    whole = registry.push(index(image(LAYER)), V2)
    history = undo.history(APP, V1)
    used = registry.used()
    deleted = delete(registry)
    registry.collect()
    assert repositories.restore(deleted.uuid, registry.admin) == APP
    assert (points_to(registry), points_to(registry, V2)) == (second, whole)
    assert undo.history(APP, V1) == history
    assert undo.restore_tag(APP, V1, registry.admin) == first
    assert registry.used() == used
    collected(registry)
    assert all(registry.serves(Digest.of(each)) for each in (LAYER, LARGE))
    registry.check()


def test_what_was_deleted_in_it_before_comes_back_deleted(registry: Registry, repositories: RepositoryService) -> None:
    digest = registry.push_image(LAYER)
    registry.manifests.delete(APP, digest, registry.admin)
    repositories.restore(delete(registry).uuid, registry.admin)
    assert points_to(registry) is None
    assert UndoService(registry.metadata, DAY).restore_tag(APP, V1, registry.admin) == digest


def test_of_a_name_that_was_pushed_again_the_former_comes_back_under_another(
    registry: Registry, repositories: RepositoryService
) -> None:
    former = registry.push_image(LAYER)
    deleted = delete(registry)
    latter = registry.push_image(LARGE)
    with pytest.raises(NotRestorable, match="cannot be restored"):
        repositories.restore(deleted.uuid, registry.admin)
    assert repositories.restore(deleted.uuid, registry.admin, RENAMED) == RENAMED
    assert (points_to(registry), points_to(registry, name=RENAMED)) == (latter, former)
    assert registry.serves(Digest.of(LAYER), RENAMED)
    registry.check()


def test_it_stays_with_the_project_that_is_charged_for_it(registry: Registry, repositories: RepositoryService) -> None:
    registry.push_image(LAYER)
    deleted = delete(registry)
    with pytest.raises(NotRestorable) as refused:
        repositories.restore(deleted.uuid, registry.admin, ELSEWHERE)
    assert refused.value.detail == {"name": "away/app", "reason": "the project team is charged for it"}
    assert names(registry) == []


def test_of_several_that_had_a_name_each_is_listed_and_the_latest_is_found(
    registry: Registry, repositories: RepositoryService
) -> None:
    gone = []
    for content in (LAYER, LARGE):
        registry.push_image(content)
        gone.append(delete(registry))
    registry.push_image(name=OTHER)
    gone.append(delete(registry, OTHER))
    assert repositories.latest(APP) == gone[1]
    listed = [repositories.deleted(("", ""), 2)]
    last = listed[0][-1]
    listed.append(repositories.deleted((last.repository.name.text, last.uuid), 2))
    assert [each.repository.name for page in listed for each in page] == [APP, APP, OTHER]
    assert sorted(each.uuid for page in listed for each in page) == sorted(each.uuid for each in gone)
    repositories.restore(gone[0].uuid, registry.admin)
    assert points_to(registry) == Digest.of(image(LAYER))


def test_a_restored_repository_is_deleted_no_more(registry: Registry, repositories: RepositoryService) -> None:
    registry.push_image()
    uuid = delete(registry).uuid
    repositories.restore(uuid, registry.admin)
    for again in (repositories.restore, repositories.purge):
        with pytest.raises(DeletedRepositoryUnknown):
            again(uuid, registry.admin)
    with pytest.raises(DeletedRepositoryUnknown):
        repositories.latest(APP)


# Given back


def test_it_is_charged_until_it_is_collected_and_then_no_more(registry: Registry) -> None:
    registry.push_image(LAYER, LARGE)
    registry.push_image(b"untagged", tag=None)
    registry.push(index(image(LAYER, LARGE)), V2)
    registry.manifests.delete_tag(APP, V1, registry.admin)
    registry.manifests.delete(APP, registry.push_image(b"deleted", tag=None), registry.admin)
    used = registry.used()
    delete(registry)
    collected(registry, window=DAY)
    assert registry.used() == used
    registry.check()
    collected(registry)
    assert registry.used() == {"team": 0}
    assert len(registry.doomed()) == 1
    assert deleted_rows(registry.metadata) == 0
    assert registry.metadata.observe(lambda tx: tx.reviews.counts()) == (0, 0)
    registry.check()


def test_what_other_repositories_hold_stays_charged_and_served(registry: Registry) -> None:
    for name in (APP, OTHER, ELSEWHERE):
        registry.push_image(LAYER, LARGE, name=name)
    used = registry.used()
    delete(registry)
    collected(registry)
    assert registry.used() == used
    assert registry.serves(Digest.of(LARGE), OTHER)
    assert registry.serves(Digest.of(LARGE), ELSEWHERE)
    registry.check()


def test_what_was_pushed_again_stays_when_the_former_goes(registry: Registry) -> None:
    registry.push_image(LAYER, LARGE)
    delete(registry)
    digest = registry.push_image(LAYER)
    collected(registry)
    assert points_to(registry) == digest
    assert registry.serves(Digest.of(LAYER))
    assert (registry.used(), deleted_rows(registry.metadata)) == ({"team": 2 + len(LAYER) + len(image(LAYER))}, 0)
    registry.check()


def test_leases_hold_its_links_to_their_end(metadata: Metadata) -> None:
    registry = Registry(metadata, lease=DAY)
    registry.push_image(LAYER)
    delete(registry)
    collected(registry)
    assert registry.used() == {"team": len(LAYER) + 2}
    assert deleted_rows(metadata) == 1
    registry.check()


def test_it_goes_piece_by_piece_and_a_collector_that_dies_leaves_the_rest(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.core.collect_repositories._MANIFESTS", 2)
    monkeypatch.setattr("registry.core.collect_repositories._BATCH", 2)
    for number in range(5):
        registry.push_image(b"layer %d" % number)
    delete(registry)
    patient = Registry(registry.metadata).collector
    transact, left = registry.metadata.transact, 0

    def dying(work: Callable[[Transaction], object]) -> object:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        return transact(work)

    monkeypatch.setattr(registry.metadata, "transact", dying)
    for lifetime in (1, *[2] * 10, 9, 9):
        left = lifetime
        with suppress(Killed):
            patient.run()
        registry.check()
    assert deleted_rows(registry.metadata) == 0
    assert registry.used() == {"team": 0}


def test_one_that_the_database_does_not_let_go_keeps_no_other(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    blindly = sa.delete(repository).where(repository.c.id == sa.bindparam("repository")).returning(repository.c.id)
    monkeypatch.setattr("registry.metadata.dissolving._REMOVE", blindly)
    Registry(registry.metadata, lease=DAY).push_image(LAYER)
    registry.push_image(LAYER, name=OTHER)
    for name in (APP, OTHER):
        delete(registry, name)
    impatient = Registry(registry.metadata)
    assert [impatient.collect().refused for _ in range(3)] == [2, 1, 1]
    assert deleted_rows(registry.metadata) == 1
    registry.check()


def test_what_its_window_has_left_does_not_come_back(registry: Registry) -> None:
    registry.push_image()
    uuid = delete(registry).uuid
    with pytest.raises(NotRestorable):
        RepositoryService(registry.metadata, NOTHING).restore(uuid, registry.admin)
    collected(registry)
    with pytest.raises(DeletedRepositoryUnknown):
        RepositoryService(registry.metadata, DAY).restore(uuid, registry.admin)


# Purged


def test_a_purged_repository_goes_at_once_and_is_listed_no_more(
    registry: Registry, repositories: RepositoryService
) -> None:
    registry.push_image(LARGE)
    uuid = delete(registry).uuid
    repositories.purge(uuid, registry.admin)
    assert repositories.deleted(("", ""), 10) == []
    with pytest.raises(NotRestorable):
        repositories.restore(uuid, registry.admin)
    for _ in range(2):
        registry.collect()
    assert registry.used() == {"team": 0}
    assert len(registry.doomed()) == 1
    registry.check()


def test_a_repository_that_is_being_taken_apart_waits_while_the_collector_is_paused(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect_repositories, "_MANIFESTS", 1)
    for number in range(3):
        registry.push_image(b"layer %d" % number, tag=Tag(f"v{number}"))
    delete(registry)
    pause = partial(registry.metadata.transact, lambda tx: tx.settings.put(COLLECTOR_PAUSED, "a test"))
    paused = replace(Registry(registry.metadata).collector, rest=pause).run()
    assert (paused.manifests, paused.repositories) == (1, 0)
    registry.metadata.transact(lambda tx: tx.settings.remove(COLLECTOR_PAUSED))
    collected(registry)
    assert deleted_rows(registry.metadata) == 0


def test_a_purged_manifest_goes_at_once(registry: Registry) -> None:
    undo = UndoService(registry.metadata, DAY)
    digest = registry.push_image(LARGE)
    with pytest.raises(NotDeleted):
        undo.purge_manifest(APP, digest, registry.admin)
    registry.manifests.delete(APP, digest, registry.admin)
    undo.purge_manifest(APP, digest, registry.admin)
    with pytest.raises(NotRestorable):
        undo.restore_manifest(APP, digest, registry.admin)
    for _ in range(2):
        registry.collect()
    assert registry.used() == {"team": 0}
    with pytest.raises(ManifestUnknown):
        undo.purge_manifest(APP, digest, registry.admin)


# Never pushed to


def test_a_repository_that_nothing_was_ever_pushed_to_goes_when_nobody_is_about_to(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = registry.uploads.begin(APP, registry.admin)
    registry.push_blob(LAYER, OTHER)
    registry.uploads.cancel(ELSEWHERE, registry.uploads.begin(ELSEWHERE, registry.admin), registry.admin)
    registry.collect()
    assert present(registry, APP, OTHER, ELSEWHERE) == [True, True, True]
    monkeypatch.setattr("registry.core.collect_repositories.UNUSED_FOR", NOTHING)
    registry.collect()
    assert present(registry, APP, OTHER, ELSEWHERE) == [True, False, False]
    registry.uploads.put_small(APP, session, registry.admin, Digest.of(LAYER), LAYER)
    assert registry.serves(Digest.of(LAYER))


def present(registry: Registry, *wanted: RepositoryName) -> list[bool]:
    return registry.metadata.observe(lambda tx: [tx.repositories.find(each) is not None for each in wanted])
