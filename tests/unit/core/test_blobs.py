"""Blobs as a repository serves them: mounted, renewed, lost, deleted; and what its project is charged for them."""

from __future__ import annotations

import pytest

from registry.core.facts import ObjectKey
from registry.oci.digest import Digest
from registry.oci.errors import BlobUnknown, NotAllowed, RegistryError
from registry.oci.names import RepositoryName
from tests.unit.core.conftest import Clock
from tests.unit.core.house import APP, AWAY, OTHER, House, image, index

BIG = bytes(9000)


def mount(house: House, digest: Digest, source: RepositoryName | None, target: RepositoryName = OTHER) -> bool:
    return house.mount(digest, source, target, house.admin)


def damage(house: House, digest: Digest, name: RepositoryName = APP) -> None:
    blob = house.serves(digest, name)
    assert blob is not None
    assert blob.key is not None
    house.blobs.mark_damaged(name, digest, blob.key, house.admin)


# Mounting


@pytest.mark.parametrize("source", [APP, None])
@pytest.mark.parametrize("large", [True, False])
def test_a_mounted_blob_is_served_without_its_bytes_coming_again(
    house: House, source: RepositoryName | None, large: bool
) -> None:
    digest = house.push_blob(BIG, large=large)
    objects = house.states()
    assert mount(house, digest, source)
    assert house.content(digest, OTHER) == BIG
    assert house.states() == objects


@pytest.mark.parametrize("source", [APP, AWAY, None])
def test_what_is_not_there_cannot_be_mounted_and_leaves_no_repository(
    house: House, source: RepositoryName | None
) -> None:
    house.push_blob(b"another")
    assert not mount(house, Digest.of(b"unknown"), source)
    assert house.metadata.observe(lambda tx: tx.repositories.find(OTHER)) is None


@pytest.mark.parametrize("source", [APP, None])
def test_what_the_caller_cannot_read_it_cannot_mount(house: House, source: RepositoryName | None) -> None:
    digest = house.push_blob(b"secret")
    assert not house.mount(digest, source, OTHER, house.residents.anonymous)
    assert house.serves(digest, OTHER) is None


@pytest.mark.parametrize("source", [APP, None])
def test_what_its_source_serves_no_more_cannot_be_mounted(house: House, source: RepositoryName | None) -> None:
    deleted, damaged = house.push_blob(b"deleted"), house.push_blob(BIG, large=True)
    house.blobs.delete(APP, deleted, house.admin)
    damage(house, damaged)
    assert [mount(house, each, source) for each in (deleted, damaged)] == [False, False]


def test_what_its_source_has_lost_cannot_be_mounted_and_is_known_to_be_lost_from_then_on(house: House) -> None:
    digest = house.push_blob(BIG, large=True)
    blob = house.serves(digest)
    assert blob is not None
    assert blob.key is not None
    house.store.delete([blob.key])
    assert not mount(house, digest, APP)
    assert (house.serves(digest), house.serves(digest, OTHER)) == (None, None)


def test_mounting_shows_a_hidden_link_again(house: House) -> None:
    digest = house.push_blob(b"blob")
    assert mount(house, digest, APP)
    house.blobs.delete(OTHER, digest, house.admin)
    assert house.serves(digest, OTHER) is None
    assert mount(house, digest, APP)
    assert house.content(digest, OTHER) == b"blob"
    assert mount(house, digest, APP, APP)


# Leases


def test_a_lease_is_due_past_half_its_life(house: House, clock: Clock) -> None:
    digest = house.push_blob(b"blob")
    blob, now = house.serves(digest), house.metadata.observe(lambda tx: tx.now)
    assert blob is not None
    assert blob.lease_until == now + house.lease
    assert house.blobs.due(blob) == now + house.lease / 2
    clock.turn(house.lease)
    house.blobs.renew(APP, digest)
    renewed = house.serves(digest)
    assert renewed is not None
    assert renewed.lease_until == now + 2 * house.lease


def test_only_what_is_served_can_be_renewed(house: House) -> None:
    digest = house.push_blob(b"blob")
    house.blobs.delete(APP, digest, house.admin)
    for name, wanted in ((APP, digest), (APP, Digest.of(b"other")), (AWAY, digest)):
        with pytest.raises(BlobUnknown):
            house.blobs.renew(name, wanted)


# Damage


def test_a_damaged_blob_is_served_nowhere_until_it_is_pushed_anywhere(house: House) -> None:
    digest = house.push_blob(BIG, large=True)
    mount(house, digest, APP)
    damage(house, digest)
    assert (house.serves(digest), house.serves(digest, OTHER)) == (None, None)
    house.push_blob(BIG, OTHER, large=True)
    assert (house.content(digest), house.content(digest, OTHER)) == (BIG, BIG)


def test_damage_of_a_former_object_is_no_damage_of_the_blob(house: House) -> None:
    digest = house.push_blob(BIG, large=True)
    former = house.serves(digest)
    house.push_blob(BIG, large=True)
    assert former is not None
    assert former.key is not None
    house.blobs.mark_damaged(APP, digest, former.key, house.admin)
    house.blobs.mark_damaged(AWAY, digest, ObjectKey("blobs/never"), house.admin)
    assert house.content(digest) == BIG
    assert house.rows("SELECT count(*) FROM event WHERE action = 'blob.damaged'") == [(0,)]


# Deleting


def test_a_deleted_blob_is_gone_from_this_repository_alone_and_comes_back_with_a_push(house: House) -> None:
    digest = house.push_blob(b"blob")
    mount(house, digest, APP)
    house.blobs.delete(APP, digest, house.admin)
    assert (house.serves(digest), house.content(digest, OTHER)) == (None, b"blob")
    house.push_blob(b"blob")
    assert house.content(digest) == b"blob"


def test_what_is_not_served_cannot_be_deleted(house: House) -> None:
    digest = house.push_blob(b"blob", OTHER)
    house.push_blob(b"another")
    for name, wanted in ((APP, digest), (AWAY, digest), (OTHER, Digest.of(b"unknown"))):
        with pytest.raises(BlobUnknown):
            house.blobs.delete(name, wanted, house.admin)
    house.blobs.delete(OTHER, digest, house.admin)
    with pytest.raises(BlobUnknown):
        house.blobs.delete(OTHER, digest, house.admin)


def test_what_a_manifest_needs_stays_until_the_manifest_is_deleted(house: House) -> None:
    manifest, layer = house.push_image("latest", APP, b"layer"), Digest.of(b"layer")
    with pytest.raises(NotAllowed) as refusal:
        house.blobs.delete(APP, layer, house.admin)
    assert (refusal.value.status, refusal.value.detail["referencedBy"]) == (405, str(manifest))
    house.manifests.delete(APP, manifest, house.admin)
    house.blobs.delete(APP, layer, house.admin)
    assert house.serves(layer) is None


def test_a_sparse_registry_deletes_what_a_manifest_needs(house: House) -> None:
    house.push_image("latest", APP, b"layer")
    house.sparse = True
    house.crash()
    house.blobs.delete(APP, Digest.of(b"layer"), house.admin)
    assert house.serves(Digest.of(b"layer")) is None


def test_a_manifest_elsewhere_and_a_referrer_hold_nothing_here(house: House) -> None:
    house.push_image("latest", OTHER, b"layer")
    house.push_blob(b"layer")
    house.push_blob(b"{}")
    house.push_manifest(image(subject=b"layer"))
    house.blobs.delete(APP, Digest.of(b"layer"), house.admin)


def test_a_damaged_blob_that_a_manifest_needs_is_not_deleted_either(house: House) -> None:
    # Else it would be gone for good when the same bytes, pushed to another repository, heal it.
    house.push_blob(BIG, large=True)
    house.push_image("latest", APP)
    house.push_manifest(image(BIG), "big")
    damage(house, Digest.of(BIG))
    with pytest.raises(RegistryError):
        house.blobs.delete(APP, Digest.of(BIG), house.admin)
    house.push_blob(BIG, OTHER, large=True)
    assert house.content(Digest.of(BIG)) == BIG


def test_a_blob_that_is_a_child_by_its_digest_only_can_be_deleted(house: House) -> None:
    # A blob and a manifest of one digest are two (design §4): the index needs the manifest.
    house.push_image(None, APP)
    house.push_manifest(index(image()))
    digest = house.push_blob(image())
    house.blobs.delete(APP, digest, house.admin)
    assert house.resolve(digest) == digest


# Usage


def test_a_project_is_charged_once_for_what_its_repositories_share(house: House) -> None:
    digest = house.push_blob(b"shared")
    assert house.used()["team"] == 6
    mount(house, digest, APP)
    house.push_blob(b"shared", OTHER)
    house.push_blob(b"shared")
    assert house.used() == {"team": 6}
    mount(house, digest, None, AWAY)
    assert house.used() == {"team": 6, "away": 6} == house.owed()


def test_a_deleted_blob_is_charged_until_it_is_collected(house: House) -> None:
    digest = house.push_blob(b"blob")
    house.blobs.delete(APP, digest, house.admin)
    assert house.used() == {"team": 4} == house.owed()
    house.push_blob(b"blob")
    assert house.used() == {"team": 4} == house.owed()


def test_the_same_bytes_under_two_digests_and_as_two_kinds_are_charged_apart(house: House) -> None:
    content = image()
    house.push_blob(b"{}")
    house.push_blob(content)
    house.uploads.put_small(APP, None, house.admin, Digest.of(content, "sha512"), content)
    house.push_manifest(content)
    house.manifests.put(APP, Digest.of(content, "sha512"), content, "", house.admin)
    assert house.used() == {"team": 2 + 4 * len(content)} == house.owed()


def test_bare_names_share_a_project_with_their_library(house: House) -> None:
    house.push_blob(b"blob", RepositoryName("alpine"))
    house.push_blob(b"blob", RepositoryName("library/alpine"))
    assert house.used() == {"library": 4} == house.owed()


def test_a_push_that_fails_charges_nothing(house: House) -> None:
    house.push_blob(b"{}")
    with pytest.raises(RegistryError):
        house.push_manifest(image(b"missing"))
    with pytest.raises(RegistryError):
        house.receive(house.begin()).commit(Digest.of(b"wrong"), house.admin)
    assert house.used() == {"team": 2} == house.owed()
