"""What a repository holds and shares, on every database; and what is deleted in it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.core.nouns.holdings import Held, Sharer
from registry.core.ports import Metadata
from registry.core.repositories import RepositoryService
from registry.core.undo import UndoService
from registry.oci.errors import NameUnknown
from registry.oci.names import RepositoryName
from tests.contracts.test_collecting import APP, AWAY, CONFIG, DAY, LARGE, LAYER, OTHER, Registry, image


@pytest.fixture
def registry(metadata: Metadata) -> Registry:
    return Registry(metadata, undo_window=DAY)


@pytest.fixture
def repositories(metadata: Metadata) -> RepositoryService:
    return RepositoryService(metadata, DAY)


def test_what_others_hold_too_is_not_its_own(registry: Registry, repositories: RepositoryService) -> None:
    registry.push_image(LAYER, LARGE)
    registry.push_image(LAYER, name=OTHER)
    registry.push_image(LAYER, LARGE, name=AWAY)
    registry.push_image(b"alone", tag=None)
    held, sharers = repositories.show(APP)
    manifests = len(image(LAYER, LARGE)) + len(image(b"alone"))
    size = len(CONFIG) + len(LAYER) + len(LARGE) + len(b"alone") + manifests
    assert held == Held(1, 2, 0, size, len(b"alone") + len(image(b"alone")))
    shared = len(CONFIG) + len(LAYER)
    assert sharers == [Sharer(AWAY, shared + len(LARGE)), Sharer(OTHER, shared)]


def test_a_deleted_sharer_has_no_name_and_holds_still(registry: Registry, repositories: RepositoryService) -> None:
    for name in (APP, OTHER):
        registry.push_image(LAYER, name=name)
    repositories.delete(OTHER, registry.admin)
    held, sharers = repositories.show(APP)
    assert (held.own, sharers) == (0, [])


def test_what_is_deleted_in_it_counts_until_it_is_collected(
    registry: Registry, repositories: RepositoryService
) -> None:
    digest = registry.push_image(LAYER)
    size = repositories.show(APP)[0].size
    registry.manifests.delete(APP, digest, registry.admin)
    assert repositories.show(APP)[0] == Held(0, 0, 1, size, size)
    UndoService(registry.metadata, DAY).purge_manifest(APP, digest, registry.admin)
    for _ in range(2):
        registry.collect()
    assert repositories.show(APP)[0] == Held(0, 0, 0, 0, 0)


def test_nothing_is_known_of_what_is_not_there(registry: Registry, repositories: RepositoryService) -> None:
    with pytest.raises(NameUnknown):
        repositories.show(RepositoryName("never/was"))
    registry.push_image()
    repositories.delete(APP, registry.admin)
    with pytest.raises(NameUnknown):
        repositories.show(APP)


def test_deleted_manifests_are_listed_by_their_digests_while_they_can_be_restored(registry: Registry) -> None:
    undo = UndoService(registry.metadata, DAY)
    digests = sorted((registry.push_image(b"%d" % number) for number in range(5)), key=lambda each: each.packed)
    for each in digests[1:]:
        registry.manifests.delete(APP, each, registry.admin)
    undo.purge_manifest(APP, digests[2], registry.admin)
    first = undo.deleted_manifests(APP, None, 2)
    rest = undo.deleted_manifests(APP, first[-1].digest, 2)
    assert [each.digest for each in (*first, *rest)] == [digests[1], digests[3], digests[4]]
    assert {each.size for each in first} == {len(image(b"0"))}
    assert UndoService(registry.metadata, timedelta(0)).deleted_manifests(APP, None, 10) == []
