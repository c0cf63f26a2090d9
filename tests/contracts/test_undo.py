"""What a tag was, and what was deleted coming back, on every database."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from registry.core.manifests import ManifestService
from registry.core.ports import Metadata
from registry.core.refusals import NotRestorable
from registry.core.undo import UndoService
from registry.oci.digest import Digest
from registry.oci.errors import ManifestUnknown, NameUnknown, NotAllowed
from registry.oci.names import RepositoryName, Tag
from tests.contracts.test_collecting import APP, CONFIG, DAY, LARGE, LAYER, V1, Registry, image, index

MOMENT = timedelta(microseconds=1)


@pytest.fixture
def registry(metadata: Metadata) -> Registry:
    return Registry(metadata, undo_window=DAY)


@pytest.fixture
def undo(metadata: Metadata) -> UndoService:
    return UndoService(metadata, DAY)


def points_to(registry: Registry, tag: Tag = V1) -> Digest | None:
    return registry.metadata.observe(lambda tx: tx.manifests.find(tx.repositories.get_or_create(APP), tag))


def test_a_tag_that_was_moved_has_its_past(registry: Registry, undo: UndoService) -> None:
    first, second = registry.push_image(LAYER), registry.push_image(LARGE)
    registry.manifests.delete_tag(APP, V1, registry.admin)
    third = registry.push_image(LAYER)
    assert third == first
    history = undo.history(APP, V1)
    assert [each.digest for each in history] == [third, second, first]
    assert (history[0].ended, history[0].by, history[1].ended_by) == (None, "admin", "admin")
    for each in history:
        assert undo.at(APP, V1, each.since) == each.digest
        assert each.ended is None or undo.at(APP, V1, each.ended - MOMENT) == each.digest
    assert undo.at(APP, V1, history[-1].since - MOMENT) is None
    assert undo.history(APP, Tag("never")) == []


def test_a_tag_that_was_deleted_comes_back(registry: Registry, undo: UndoService) -> None:
    digest = registry.push_image(LAYER)
    registry.manifests.delete_tag(APP, V1, registry.admin)
    assert undo.restore_tag(APP, V1, registry.admin) == digest
    assert points_to(registry) == digest


def test_a_tag_that_was_moved_goes_back_and_forth(registry: Registry, undo: UndoService) -> None:
    first, second = registry.push_image(LAYER), registry.push_image(LARGE)
    assert undo.restore_tag(APP, V1, registry.admin) == first
    assert undo.restore_tag(APP, V1, registry.admin) == second
    early = undo.history(APP, V1)[-1]
    assert undo.restore_tag(APP, V1, registry.admin, early.since) == first == points_to(registry)


def test_a_deleted_manifest_comes_back_with_its_tag_and_stays(registry: Registry, undo: UndoService) -> None:
    digest = registry.push_image(LAYER, LARGE)
    registry.manifests.delete(APP, digest, registry.admin)
    registry.collect()
    assert points_to(registry) is None
    assert undo.restore_tag(APP, V1, registry.admin) == digest
    for _ in range(3):
        registry.collect()
    assert points_to(registry) == digest
    assert registry.serves(Digest.of(LARGE))
    registry.check()


def test_a_manifest_comes_back_by_its_digest_and_under_no_tag(registry: Registry, undo: UndoService) -> None:
    digest = registry.push_image(LAYER)
    registry.manifests.delete(APP, digest, registry.admin)
    undo.restore_manifest(APP, digest, registry.admin)
    found = registry.metadata.observe(lambda tx: tx.manifests.find(tx.repositories.get_or_create(APP), digest))
    assert (found, points_to(registry)) == (digest, None)
    # Once more is no mistake.
    undo.restore_manifest(APP, digest, registry.admin)


def test_what_its_window_has_left_does_not_come_back(metadata: Metadata, registry: Registry) -> None:
    digest = registry.push_image(LAYER)
    registry.manifests.delete(APP, digest, registry.admin)
    with pytest.raises(NotRestorable):
        UndoService(metadata, timedelta(0)).restore_manifest(APP, digest, registry.admin)


def test_what_was_collected_does_not_come_back(metadata: Metadata, undo: UndoService) -> None:
    registry = Registry(metadata)
    digest = registry.push_image(LAYER)
    registry.manifests.delete(APP, digest, registry.admin)
    registry.collect()
    with pytest.raises(ManifestUnknown):
        undo.restore_manifest(APP, digest, registry.admin)
    with pytest.raises(ManifestUnknown):
        undo.restore_tag(APP, V1, registry.admin)


def test_an_index_comes_back_with_its_children(registry: Registry, undo: UndoService) -> None:
    child = registry.push_image(LAYER, tag=None)
    inner = registry.push(index(image(LAYER)), tag=None)
    whole = registry.push(index(index(image(LAYER)), image(LAYER)))
    for each in (whole, inner, child):
        registry.manifests.delete(APP, each, registry.admin)
    assert undo.restore_tag(APP, V1, registry.admin) == whole == points_to(registry)
    for each in (inner, child):
        with pytest.raises(NotAllowed):
            registry.manifests.delete(APP, each, registry.admin)
    registry.check()


def test_an_index_does_not_come_back_without_a_child_that_is_gone(metadata: Metadata, registry: Registry) -> None:
    child = registry.push_image(LAYER, tag=None)
    whole = registry.push(index(image(LAYER)))
    for each in (whole, child):
        registry.manifests.delete(APP, each, registry.admin)
    UndoService(metadata, DAY).purge_manifest(APP, child, registry.admin)
    with pytest.raises(NotRestorable):
        UndoService(metadata, DAY).restore_tag(APP, V1, registry.admin)
    assert points_to(registry) is None
    assert whole != child


def test_a_manifest_comes_back_without_a_layer_that_is_distributed_elsewhere(
    registry: Registry, undo: UndoService
) -> None:
    document = json.loads(image(LAYER, b"windows"))
    document["layers"][1]["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    for part in (CONFIG, LAYER):
        registry.push_blob(part)
    digest = registry.push(json.dumps(document).encode())
    registry.manifests.delete(APP, digest, registry.admin)
    assert undo.restore_tag(APP, V1, registry.admin) == digest == points_to(registry)


def test_a_manifest_comes_back_without_its_parts_where_that_is_how_they_may_be_pushed(metadata: Metadata) -> None:
    registry = Registry(metadata, undo_window=DAY)
    registry.manifests = ManifestService(metadata, DAY, DAY, sparse=True)
    digest = registry.push(index(image(b"elsewhere")))
    registry.manifests.delete(APP, digest, registry.admin)
    with pytest.raises(NotRestorable):
        UndoService(metadata, DAY).restore_manifest(APP, digest, registry.admin)
    assert UndoService(metadata, DAY, sparse=True).restore_tag(APP, V1, registry.admin) == digest == points_to(registry)


def test_an_unknown_repository_has_no_past(undo: UndoService) -> None:
    with pytest.raises(NameUnknown):
        undo.history(RepositoryName("never/was"), V1)
