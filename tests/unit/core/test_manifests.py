"""Manifests and tags: what must be there first, what goes with what, and what is remembered."""

from __future__ import annotations

import itertools

import pytest

from registry.core.manifests import MOST_TAGS, Condition
from registry.oci.digest import Digest
from registry.oci.errors import (
    DigestInvalid,
    ManifestInvalid,
    ManifestPartsUnknown,
    ManifestUnknown,
    NotAllowed,
    PreconditionFailed,
    TooManyTags,
)
from registry.oci.names import Tag
from tests.unit.core.house import APP, AWAY, OTHER, House, image, index

LATEST, STABLE = Tag("latest"), Tag("stable")
ONE, TWO = Digest.of(b"one"), Digest.of(b"two")


def history(house: House) -> list[tuple[str, Digest]]:
    query = "SELECT name, digest FROM tag_history ORDER BY id"
    return [(name, Digest.unpack(digest)) for name, digest in house.rows(query)]


# Pushing


def test_a_manifest_is_found_by_its_digest_and_by_every_tag(house: House) -> None:
    house.push_blob(b"{}")
    pushed = house.manifests.put(APP, Digest.of(image()), image(), "", house.admin, tags=[LATEST, STABLE, LATEST])
    assert pushed.tags == (LATEST, STABLE, LATEST)
    assert [house.resolve(each) for each in (pushed.digest, LATEST, STABLE)] == [pushed.digest] * 3


def test_a_manifest_has_the_digest_that_it_is_pushed_under(house: House) -> None:
    house.push_blob(b"{}")
    with pytest.raises(DigestInvalid):
        house.manifests.put(APP, Digest.of(b"other"), image(), "", house.admin)
    digest = Digest.of(image(), "sha512")
    house.manifests.put(APP, digest, image(), "", house.admin)
    assert house.resolve(digest) == digest
    assert house.resolve(Digest.of(image())) is None


def test_what_a_manifest_needs_must_be_served_here(house: House) -> None:
    house.push_blob(b"{}")
    house.push_blob(b"elsewhere", OTHER)
    house.push_blob(b"deleted")
    house.blobs.delete(APP, Digest.of(b"deleted"), house.admin)
    for layer in (b"unknown", b"elsewhere", b"deleted"):
        with pytest.raises(ManifestPartsUnknown) as refusal:
            house.push_manifest(image(layer), "latest")
        assert refusal.value.detail == {"digests": [str(Digest.of(layer))]}
    with pytest.raises(ManifestPartsUnknown):
        house.push_manifest(index(image()), "latest")
    assert house.resolve(LATEST) is None


def test_a_refused_manifest_leaves_no_trace(house: House) -> None:
    for content in (image(), b"nonsense"):
        with pytest.raises((ManifestPartsUnknown, ManifestInvalid)):
            house.push_manifest(content, "latest", AWAY)
    assert house.rows("SELECT count(*) FROM repository") == [(0,)]
    assert house.rows("SELECT count(*) FROM content") == [(0,)]


def test_a_subject_may_come_later_or_never(house: House) -> None:
    house.push_blob(b"{}")
    pushed = house.manifests.put(APP, LATEST, image(subject=b"later"), "", house.admin)
    assert pushed.subject == Digest.of(b"later")


def test_a_sparse_registry_takes_what_lacks_its_parts(house: House) -> None:
    house.sparse = True
    house.crash()
    house.push_manifest(image(b"unknown"), "latest")
    house.push_manifest(index(b"unknown"), "index")


def test_the_same_manifest_again_is_one_manifest_of_the_latest_type(house: House) -> None:
    house.push_blob(b"{}")
    content = image().replace(b'"mediaType": "application/vnd.oci.image.manifest.v1+json", ', b"")
    for content_type in ("application/vnd.example.v1+json", "application/vnd.example.v2+json"):
        house.manifests.put(APP, LATEST, content, content_type, house.admin)
    assert house.rows("SELECT media_type FROM manifest") == [("application/vnd.example.v2+json",)]
    assert house.used() == house.owed()


def test_no_request_sets_more_tags_than_we_take(house: House) -> None:
    house.push_blob(b"{}")
    tags = [Tag(f"t{each}") for each in range(MOST_TAGS + 1)]
    with pytest.raises(TooManyTags):
        house.push_manifest(image(), tags=tags)
    assert house.resolve(Digest.of(image())) is None
    house.push_manifest(image(), tags=tags[1:])
    assert house.resolve(tags[-1]) == Digest.of(image())


# Tags


def test_deleting_a_tag_keeps_its_manifest(house: House) -> None:
    digest = house.push_image("latest")
    house.manifests.delete_tag(APP, LATEST, house.admin)
    assert (house.resolve(LATEST), house.resolve(digest)) == (None, digest)
    for name, tag in ((APP, LATEST), (APP, STABLE), (AWAY, LATEST)):
        with pytest.raises(ManifestUnknown):
            house.manifests.delete_tag(name, tag, house.admin)


def test_what_a_tag_was_is_remembered_when_it_moves_and_when_it_goes(house: House) -> None:
    first, second = house.push_image("latest", APP, b"1"), house.push_image("latest", APP, b"2")
    house.push_image("latest", APP, b"2")
    assert history(house) == [("latest", first)]
    house.manifests.delete_tag(APP, LATEST, house.admin)
    assert history(house) == [("latest", first), ("latest", second)]
    house.push_image("latest", APP, b"2")
    house.push_manifest(image(b"2"), "stable")
    house.manifests.delete(APP, second, house.admin)
    assert sorted(history(house)[2:]) == [("latest", second), ("stable", second)]
    spans = house.rows("SELECT set_at <= ended_at, set_by, ended_by FROM tag_history")
    assert set(spans) == {(1, house.admin.principal, house.admin.principal)}


# Deleting


def test_deleting_a_manifest_takes_its_tags_along_and_keeps_its_blobs_for_a_lease(house: House) -> None:
    digest = house.push_image("latest", APP, b"layer")
    house.manifests.delete(APP, digest, house.admin)
    assert (house.resolve(digest), house.resolve(LATEST)) == (None, None)
    assert house.content(Digest.of(b"layer")) == b"layer"
    for name in (APP, AWAY):
        with pytest.raises(ManifestUnknown):
            house.manifests.delete(name, digest, house.admin)


def test_a_deleted_manifest_comes_back_with_a_push(house: House) -> None:
    digest = house.push_image("latest", APP, b"layer")
    house.manifests.delete(APP, digest, house.admin)
    house.push_manifest(image(b"layer"), "stable")
    assert (house.resolve(digest), house.resolve(STABLE), house.resolve(LATEST)) == (digest, digest, None)
    assert house.used() == house.owed()


def test_a_deleted_manifest_comes_back_only_with_its_parts(house: House) -> None:
    digest = house.push_image("latest", APP, b"layer")
    house.manifests.delete(APP, digest, house.admin)
    house.blobs.delete(APP, Digest.of(b"layer"), house.admin)
    with pytest.raises(ManifestPartsUnknown):
        house.push_manifest(image(b"layer"), "latest")
    assert house.resolve(digest) is None


def test_a_child_stays_while_an_index_needs_it(house: House) -> None:
    child = house.push_image()
    parent = house.push_manifest(index(image()), "latest")
    with pytest.raises(NotAllowed) as refusal:
        house.manifests.delete(APP, child, house.admin)
    assert (refusal.value.status, refusal.value.detail["referencedBy"]) == (405, str(parent))
    house.manifests.delete(APP, parent, house.admin)
    house.manifests.delete(APP, child, house.admin)


def test_a_sparse_registry_deletes_a_child(house: House) -> None:
    child = house.push_image()
    house.push_manifest(index(image()), "latest")
    house.sparse = True
    house.crash()
    house.manifests.delete(APP, child, house.admin)
    assert house.resolve(child) is None


def test_a_subject_can_be_deleted_and_its_referrers_stay(house: House) -> None:
    subject = house.push_image()
    referrer = house.push_manifest(image(subject=image()))
    house.manifests.delete(APP, subject, house.admin)
    assert (house.resolve(subject), house.resolve(referrer)) == (None, referrer)


def test_a_manifest_that_is_a_layer_by_its_digest_only_can_be_deleted(house: House) -> None:
    # A blob and a manifest of one digest are two (design §4): the artifact needs the blob.
    digest = house.push_image()
    house.push_blob(image())
    house.push_manifest(image(image()))
    house.manifests.delete(APP, digest, house.admin)
    assert house.content(digest) == image()


# Conditions


def expected(condition: Condition, present: Digest | None) -> bool:
    """RFC 9110, 13.1.1 and 13.1.2, sentence by sentence."""
    if condition.match is not None:
        if not condition.match and present is None:
            return False
        if condition.match and (present is None or str(present) not in condition.match):
            return False
    if condition.none_match is not None:
        if not condition.none_match and present is not None:
            return False
        if present is not None and str(present) in condition.none_match:
            return False
    return True


LISTS = [None, (), (str(ONE),), (str(ONE), str(TWO)), ("",)]


@pytest.mark.parametrize(("match", "none_match", "present"), list(itertools.product(LISTS, LISTS, [None, ONE, TWO])))
def test_a_condition_holds_as_http_says(
    match: tuple[str, ...] | None, none_match: tuple[str, ...] | None, present: Digest | None
) -> None:
    condition = Condition(match, none_match)
    assert condition.holds(present) is expected(condition, present)


def test_a_tag_moves_only_from_where_the_pusher_saw_it(house: House) -> None:
    first, second = house.push_image("latest", APP, b"1"), house.push_image(None, APP, b"2")
    with pytest.raises(PreconditionFailed) as refusal:
        house.push_manifest(image(b"2"), "latest", condition=Condition(match=[str(second)]))
    assert refusal.value.status == 412
    assert house.resolve(LATEST) == first
    house.push_manifest(image(b"2"), "latest", condition=Condition(match=[str(first)]))
    assert house.resolve(LATEST) == second


def test_of_a_push_by_digest_every_tag_is_guarded(house: House) -> None:
    first = house.push_image("latest", APP, b"1")
    house.push_image(None, APP, b"2")
    for condition in (Condition(none_match=()), Condition(match=[str(first)])):
        with pytest.raises(PreconditionFailed):
            house.push_manifest(image(b"2"), tags=[STABLE, LATEST], condition=condition)
        assert (house.resolve(LATEST), house.resolve(STABLE)) == (first, None)
    house.push_manifest(image(b"2"), tags=[LATEST], condition=Condition(match=[str(first)]))
    assert house.resolve(LATEST) == Digest.of(image(b"2"))


def test_what_is_not_as_the_deleter_saw_it_is_not_deleted(house: House) -> None:
    digest = house.push_image("latest", APP, b"1")
    seen, other = Condition(match=[str(digest)]), Condition(match=[str(ONE)])
    with pytest.raises(PreconditionFailed):
        house.manifests.delete_tag(APP, LATEST, house.admin, other)
    with pytest.raises(PreconditionFailed):
        house.manifests.delete(APP, digest, house.admin, other)
    assert house.resolve(LATEST) == digest
    house.manifests.delete_tag(APP, LATEST, house.admin, seen)
    house.manifests.delete(APP, digest, house.admin, seen)
    assert house.resolve(digest) is None


def test_a_tag_that_must_be_new_is_set_once(house: House) -> None:
    house.push_image(None, APP, b"1")
    only_new = Condition(none_match=())
    house.push_manifest(image(b"1"), "latest", condition=only_new)
    with pytest.raises(PreconditionFailed):
        house.push_manifest(image(b"1"), "latest", condition=only_new)
    with pytest.raises(PreconditionFailed):
        house.push_manifest(image(b"1"), "new", AWAY, condition=Condition(match=()))
    assert house.metadata.observe(lambda tx: tx.repositories.find(AWAY)) is None
