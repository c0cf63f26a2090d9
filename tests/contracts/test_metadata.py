"""What every database promises (registry/core/ports.py, `Metadata` and the nouns of a `Transaction`)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from registry.core.facts import Action, Caller, ContentKind, HashState, ObjectKey, Repository, UploadSession
from registry.core.ports import Metadata, Transaction
from registry.oci.digest import Digest
from registry.oci.manifest import Kind, Manifest, Reference
from registry.oci.media_types import OCI_MANIFEST
from registry.oci.names import RepositoryName, Tag

APP, OTHER = RepositoryName("team/app"), RepositoryName("team/other")
LATEST = Tag("latest")
DAY = timedelta(days=1)
ONE, TWO = Digest.of(b"one"), Digest.of(b"two")


@pytest.fixture
def alice(metadata: Metadata) -> Caller:
    return metadata.transact(lambda tx: tx.accounts.add("alice", "user"))


@pytest.fixture
def app(metadata: Metadata) -> Repository:
    return metadata.transact(lambda tx: tx.repositories.get_or_create(APP))


@pytest.fixture
def other(metadata: Metadata) -> Repository:
    return metadata.transact(lambda tx: tx.repositories.get_or_create(OTHER))


def put_blob(metadata: Metadata, repository: Repository, content: bytes, lease: timedelta = DAY) -> Digest:
    digest = Digest.of(content)
    metadata.transact(lambda tx: tx.blobs.put_content(digest, content))
    metadata.transact(lambda tx: tx.links.put(repository, digest, lease))
    return digest


def put_manifest(metadata: Metadata, repository: Repository, content: bytes, by: Caller, *parts: Reference) -> bool:
    manifest = Manifest(OCI_MANIFEST, parts, None, {})
    return metadata.transact(lambda tx: tx.manifests.put(repository, Digest.of(content), content, manifest, by))


def new_object(metadata: Metadata) -> tuple[int, ObjectKey]:
    key = ObjectKey(f"blobs/{uuid4()}")
    return metadata.transact(lambda tx: tx.objects.add(key)), key


def doomed(metadata: Metadata) -> list[ObjectKey]:
    return [key for _, key in metadata.observe(lambda tx: tx.objects.doomed(tx.now, 100))]


# Transactions


def test_a_transaction_gives_what_its_work_gives_and_raises_what_it_raises(metadata: Metadata) -> None:
    assert metadata.transact(lambda _: 42) == 42
    with pytest.raises(ZeroDivisionError):
        metadata.transact(lambda _: 1 // 0)


def test_a_work_that_raises_has_done_nothing(metadata: Metadata) -> None:
    def fail(tx: Transaction) -> None:
        tx.repositories.get_or_create(APP)
        raise LookupError

    with pytest.raises(LookupError):
        metadata.transact(fail)
    assert metadata.observe(lambda tx: tx.repositories.find(APP)) is None


def test_the_instant_of_a_transaction_is_aware_and_stands_still(metadata: Metadata) -> None:
    (first,) = metadata.transact(lambda tx: {tx.now, tx.now})
    assert first.utcoffset() == timedelta(0)
    assert abs(first - datetime.now(UTC)) < timedelta(minutes=5)
    assert metadata.observe(lambda tx: tx.now) >= first


# Accounts


def test_an_account_is_found_by_its_name(metadata: Metadata, alice: Caller) -> None:
    assert metadata.observe(lambda tx: tx.accounts.find("alice")) == alice
    assert metadata.observe(lambda tx: tx.accounts.find("Alice")) is None
    assert metadata.transact(lambda tx: tx.accounts.add("root", "user", is_admin=True)).is_admin
    assert metadata.transact(lambda tx: tx.accounts.add("(anonymous)", "anonymous")).is_anonymous


def test_a_setting_keeps_its_first_value(metadata: Metadata) -> None:
    assert metadata.transact(lambda tx: [tx.settings.get_or_put("instance", each) for each in ("a", "b")]) == ["a", "a"]


def test_signing_keys_come_oldest_first_and_the_dead_ones_go(metadata: Metadata) -> None:
    now = datetime.now(UTC)

    def add(tx: Transaction) -> None:
        for kid, created, expires in (("young", -1, 9), ("dead", -9, -2), ("old", -5, 5)):
            tx.accounts.add_signing_key(kid, kid.encode(), now + created * DAY, now + expires * DAY)

    metadata.transact(add)
    assert metadata.observe(lambda tx: tx.accounts.signing_keys()) == [("old", b"old"), ("young", b"young")]


# Repositories


def test_a_repository_is_made_once_with_its_project(metadata: Metadata, app: Repository, other: Repository) -> None:
    assert metadata.transact(lambda tx: tx.repositories.get_or_create(APP)) == app
    assert metadata.observe(lambda tx: tx.repositories.find(APP)) == app
    assert (app.project, app.name) == (other.project, APP)
    elsewhere = metadata.transact(lambda tx: tx.repositories.get_or_create(RepositoryName("solo")))
    assert elsewhere.project != app.project


# Uploads


@pytest.fixture
def session(metadata: Metadata, app: Repository, alice: Caller) -> UploadSession:
    metadata.transact(lambda tx: tx.uploads.add("u-1", app, alice, "sha256", tx.now + DAY))
    return find(metadata)


def find(metadata: Metadata, uuid: str = "u-1", name: RepositoryName = APP) -> UploadSession:
    found = metadata.observe(lambda tx: tx.uploads.find(name, uuid))
    assert found is not None
    return found


def test_a_session_begins_empty(session: UploadSession, app: Repository, alice: Caller) -> None:
    assert (session.uuid, session.repository, session.principal) == ("u-1", app, alice.principal)
    assert (session.offset, session.hash.algorithm, session.hash.state) == (0, "sha256", None)
    assert (session.key, session.object, session.finished) == (None, None, None)


def test_a_session_belongs_to_its_repository(metadata: Metadata, session: UploadSession, other: Repository) -> None:
    assert metadata.observe(lambda tx: tx.uploads.find(OTHER, "u-1")) is None


def test_who_takes_a_session_over_has_the_newest_epoch(metadata: Metadata, session: UploadSession) -> None:
    epochs = [metadata.transact(lambda tx: tx.uploads.take_over(session, tx.now + DAY)) for _ in range(2)]
    assert session.epoch < epochs[0] < epochs[1]
    assert metadata.observe(lambda tx: tx.uploads.epoch(session)) == epochs[1] == find(metadata).epoch


def test_only_the_newest_epoch_acknowledges_and_finishes(metadata: Metadata, session: UploadSession) -> None:
    state = HashState("sha512", "format", b"state")
    metadata.transact(lambda tx: tx.uploads.take_over(session, tx.now + DAY))
    assert not metadata.transact(lambda tx: tx.uploads.acknowledge(session, 7, "", state, tx.now + DAY))
    assert not metadata.transact(lambda tx: tx.uploads.finish(session, ONE, tx.now + DAY))
    present = find(metadata)
    assert (present.offset, present.finished) == (0, None)
    assert metadata.transact(lambda tx: tx.uploads.acknowledge(present, 7, "note", state, tx.now + DAY))
    assert (find(metadata).offset, find(metadata).stored, find(metadata).hash) == (7, "note", state)


def test_a_finished_session_has_let_go_of_its_object_and_changes_no_more(
    metadata: Metadata, session: UploadSession
) -> None:
    object_id, key = new_object(metadata)
    metadata.transact(lambda tx: tx.uploads.attach(session, object_id))
    assert (find(metadata).object, find(metadata).key) == (object_id, key)
    assert metadata.transact(lambda tx: tx.uploads.finish(session, ONE, tx.now + DAY))
    assert (find(metadata).object, find(metadata).key, find(metadata).finished) == (None, None, ONE)
    assert not metadata.transact(lambda tx: tx.uploads.acknowledge(session, 9, "", session.hash, tx.now + DAY))
    assert not metadata.transact(lambda tx: tx.uploads.finish(session, TWO, tx.now + DAY))


def test_a_removed_session_is_gone_and_its_object_doomed(metadata: Metadata, session: UploadSession) -> None:
    object_id, key = new_object(metadata)
    metadata.transact(lambda tx: tx.uploads.attach(session, object_id))
    metadata.transact(lambda tx: tx.uploads.take_over(session, tx.now + DAY))
    assert not metadata.transact(lambda tx: tx.uploads.remove(session))
    assert metadata.transact(lambda tx: tx.uploads.remove(find(metadata)))
    assert doomed(metadata) == [key]
    assert metadata.observe(lambda tx: tx.uploads.find(APP, "u-1")) is None
    assert metadata.observe(lambda tx: tx.uploads.epoch(session)) is None


def test_expired_sessions_come_oldest_first(metadata: Metadata, app: Repository, alice: Caller) -> None:
    def add(tx: Transaction) -> None:
        for uuid, days in (("late", -1), ("living", 1), ("early", -2)):
            tx.uploads.add(uuid, app, alice, "sha256", tx.now + days * DAY)

    metadata.transact(add)
    assert [each.uuid for each in metadata.observe(lambda tx: tx.uploads.expired(9))] == ["early", "late"]
    assert [each.uuid for each in metadata.observe(lambda tx: tx.uploads.expired(1))] == ["early"]


# Objects


def test_only_what_was_doomed_long_enough_is_to_be_deleted_the_oldest_first(metadata: Metadata) -> None:
    objects = [new_object(metadata) for _ in range(3)]
    assert doomed(metadata) == []
    metadata.transact(lambda tx: tx.objects.doom(objects[2][0]))
    metadata.transact(lambda tx: tx.objects.doom(objects[0][0]))
    assert doomed(metadata) == [objects[2][1], objects[0][1]]
    assert metadata.observe(lambda tx: tx.objects.doomed(tx.now - DAY, 9)) == []
    assert len(metadata.observe(lambda tx: tx.objects.doomed(tx.now, 1))) == 1


def test_only_a_doomed_object_can_be_forgotten(metadata: Metadata) -> None:
    (receiving, key), (gone, _) = new_object(metadata), new_object(metadata)
    metadata.transact(lambda tx: tx.objects.doom(gone))
    metadata.transact(lambda tx: tx.objects.forget([receiving, gone]))
    assert doomed(metadata) == []
    metadata.transact(lambda tx: tx.objects.doom(receiving))
    assert doomed(metadata) == [key]


# Blobs


def test_the_newest_bytes_of_a_blob_win_and_the_former_object_is_doomed(metadata: Metadata, app: Repository) -> None:
    (first, first_key), (second, second_key) = new_object(metadata), new_object(metadata)
    blob = metadata.transact(lambda tx: tx.blobs.put_object(ONE, 3, first))
    metadata.transact(lambda tx: tx.links.put(app, ONE, DAY))
    assert metadata.transact(lambda tx: tx.blobs.put_object(ONE, 3, second)) == blob
    found = metadata.observe(lambda tx: tx.links.find(app, ONE))
    assert (found and found.key, found and found.content, doomed(metadata)) == (second_key, None, [first_key])
    assert metadata.transact(lambda tx: tx.blobs.put_content(ONE, b"one")) == blob
    found = metadata.observe(lambda tx: tx.links.find(app, ONE))
    assert (found and found.key, found and found.content) == (None, b"one")
    assert sorted(map(str, doomed(metadata))) == sorted(map(str, [first_key, second_key]))


def test_the_same_object_again_dooms_nothing(metadata: Metadata) -> None:
    object_id, _ = new_object(metadata)
    for _ in range(2):
        metadata.transact(lambda tx: tx.blobs.put_object(ONE, 3, object_id))
    assert doomed(metadata) == []


def test_a_damaged_blob_is_served_nowhere_until_its_bytes_come_again(metadata: Metadata, app: Repository) -> None:
    (object_id, key), (again, _) = new_object(metadata), new_object(metadata)
    metadata.transact(lambda tx: tx.blobs.put_object(ONE, 3, object_id))
    metadata.transact(lambda tx: tx.links.put(app, ONE, DAY))
    assert not metadata.transact(lambda tx: tx.blobs.mark_damaged(ONE, ObjectKey("blobs/another")))
    assert metadata.transact(lambda tx: tx.blobs.mark_damaged(ONE, key))
    assert not metadata.transact(lambda tx: tx.blobs.mark_damaged(ONE, key))
    assert metadata.observe(lambda tx: tx.links.find(app, ONE)) is None
    assert metadata.observe(lambda tx: tx.links.find_anywhere(ONE, lambda _: True)) is None
    part = Reference(Kind.LAYER, ONE, 3, "a/b")
    assert metadata.transact(lambda tx: tx.manifests.missing(app, [part])) == [ONE]
    metadata.transact(lambda tx: tx.blobs.put_object(ONE, 3, again))
    assert metadata.observe(lambda tx: tx.links.find(app, ONE)) is not None


# Links


def test_a_blob_is_found_only_where_it_is_linked(metadata: Metadata, app: Repository, other: Repository) -> None:
    digest = put_blob(metadata, app, b"one")
    found = metadata.observe(lambda tx: tx.links.find(app, digest))
    assert (found and found.digest, found and found.size, found and found.content) == (digest, 3, b"one")
    assert metadata.observe(lambda tx: tx.links.find(other, digest)) is None


def test_a_blob_is_found_anywhere_that_is_readable(metadata: Metadata, app: Repository, other: Repository) -> None:
    digest = put_blob(metadata, app, b"one")
    put_blob(metadata, other, b"one")
    metadata.transact(lambda tx: tx.links.hide(app, digest))
    asked: list[RepositoryName] = []

    def readable(name: RepositoryName) -> bool:
        asked.append(name)
        return True

    anywhere = metadata.observe(lambda tx: tx.links.find_anywhere(digest, readable))
    assert (anywhere, asked) == (OTHER, [OTHER])
    assert metadata.observe(lambda tx: tx.links.find_anywhere(digest, lambda name: name != OTHER)) is None


def test_a_link_is_new_once_even_when_it_was_hidden_in_between(metadata: Metadata, app: Repository) -> None:
    metadata.transact(lambda tx: tx.blobs.put_content(ONE, b"one"))
    assert metadata.transact(lambda tx: tx.links.put(app, ONE, DAY))
    assert not metadata.transact(lambda tx: tx.links.put(app, ONE, DAY))
    assert metadata.transact(lambda tx: tx.links.hide(app, ONE))
    assert not metadata.transact(lambda tx: tx.links.hide(app, ONE))
    assert metadata.observe(lambda tx: tx.links.find(app, ONE)) is None
    assert not metadata.transact(lambda tx: tx.links.put(app, ONE, DAY))
    assert metadata.observe(lambda tx: tx.links.find(app, ONE)) is not None


def test_a_visible_link_can_be_renewed(metadata: Metadata, app: Repository) -> None:
    digest = put_blob(metadata, app, b"one", lease=timedelta(0))
    now = metadata.observe(lambda tx: tx.now)
    assert metadata.transact(lambda tx: tx.links.renew(app, digest, DAY))
    found = metadata.observe(lambda tx: tx.links.find(app, digest))
    assert found is not None
    assert found.lease_until >= now + DAY
    metadata.transact(lambda tx: tx.links.hide(app, digest))
    assert not metadata.transact(lambda tx: tx.links.renew(app, digest, DAY))
    assert not metadata.transact(lambda tx: tx.links.renew(app, TWO, DAY))


def test_the_parts_of_a_manifest_are_renewed_together(metadata: Metadata, app: Repository, alice: Caller) -> None:
    one, two, three = (put_blob(metadata, app, each, timedelta(0)) for each in (b"one", b"two", b"three"))
    put_manifest(metadata, app, b"m", alice, *(Reference(Kind.LAYER, each, 3, "a/b") for each in (one, two)))
    now = metadata.observe(lambda tx: tx.now)
    metadata.transact(lambda tx: tx.links.renew_parts(app, Digest.of(b"m"), DAY))
    found = metadata.observe(lambda tx: [tx.links.find(app, each) for each in (one, two, three)])
    assert [each and each.lease_until >= now + DAY for each in found] == [True, True, False]


# Manifests


def test_a_manifest_is_new_once_even_when_it_was_deleted_in_between(
    metadata: Metadata, app: Repository, alice: Caller
) -> None:
    digest = Digest.of(b"m")
    assert put_manifest(metadata, app, b"m", alice)
    assert not put_manifest(metadata, app, b"m", alice)
    assert metadata.transact(lambda tx: tx.manifests.delete(app, digest))
    assert not metadata.transact(lambda tx: tx.manifests.delete(app, digest))
    assert metadata.observe(lambda tx: tx.manifests.find(app, digest)) is None
    assert not put_manifest(metadata, app, b"m", alice)
    assert metadata.observe(lambda tx: tx.manifests.find(app, digest)) == digest


def test_what_a_repository_does_not_serve_is_missing(
    metadata: Metadata, app: Repository, other: Repository, alice: Caller
) -> None:
    here, hidden, there = (put_blob(metadata, app, each) for each in (b"here", b"hidden", b"there"))
    metadata.transact(lambda tx: tx.links.hide(app, hidden))
    elsewhere = put_blob(metadata, other, b"elsewhere")
    put_manifest(metadata, app, b"child", alice)
    wanted = [Reference(Kind.LAYER, each, 1, "a/b") for each in (here, hidden, there, elsewhere)]
    # A blob is no child, and a child no blob.
    wanted += [Reference(kind, Digest.of(b"child"), 1, "a/b") for kind in (Kind.CHILD, Kind.CONFIG)]
    missing = metadata.transact(lambda tx: tx.manifests.missing(app, wanted))
    assert sorted(missing) == sorted([hidden, elsewhere, Digest.of(b"child")])


def test_the_holders_of_a_part_are_visible_and_no_referrers(
    metadata: Metadata, app: Repository, other: Repository, alice: Caller
) -> None:
    part = Reference(Kind.LAYER, ONE, 3, "a/b")
    for content in (b"m1", b"m2", b"m3"):
        put_manifest(metadata, app, content, alice, part)
    put_manifest(metadata, app, b"referrer", alice, Reference(Kind.SUBJECT, ONE, 3, "a/b"))
    put_manifest(metadata, other, b"elsewhere", alice, part)
    metadata.transact(lambda tx: tx.manifests.delete(app, Digest.of(b"m2")))
    holders = metadata.observe(lambda tx: tx.manifests.holders(app, ContentKind.BLOB, ONE))
    assert sorted(holders) == sorted([Digest.of(b"m1"), Digest.of(b"m3")])
    assert metadata.observe(lambda tx: tx.manifests.holders(app, ContentKind.MANIFEST, ONE)) == []


# Tags


def test_a_tag_points_to_a_manifest_until_it_is_set_or_closed(
    metadata: Metadata, app: Repository, alice: Caller
) -> None:
    for content in (b"one", b"two"):
        put_manifest(metadata, app, content, alice)
    changes = metadata.transact(lambda tx: [tx.tags.set(app, LATEST, each, alice) for each in (ONE, ONE, TWO)])
    assert changes == [True, False, True]
    assert metadata.observe(lambda tx: (tx.tags.find(app, LATEST), tx.manifests.find(app, LATEST))) == (TWO, TWO)
    assert metadata.transact(lambda tx: tx.tags.close(app, LATEST, alice)) == TWO
    assert metadata.transact(lambda tx: tx.tags.close(app, LATEST, alice)) is None
    assert metadata.observe(lambda tx: tx.tags.find(app, LATEST)) is None


def test_a_tag_cannot_point_to_what_is_not_visible(metadata: Metadata, app: Repository, alice: Caller) -> None:
    put_manifest(metadata, app, b"one", alice)
    metadata.transact(lambda tx: tx.tags.set(app, LATEST, ONE, alice))
    assert not metadata.transact(lambda tx: tx.tags.set(app, LATEST, TWO, alice))
    assert metadata.observe(lambda tx: tx.tags.find(app, LATEST)) == ONE


def test_every_tag_of_a_manifest_can_be_closed_at_once(
    metadata: Metadata, app: Repository, other: Repository, alice: Caller
) -> None:
    for repository in (app, other):
        put_manifest(metadata, repository, b"one", alice)
    metadata.transact(lambda tx: [tx.tags.set(each, LATEST, ONE, alice) for each in (app, other)])
    metadata.transact(lambda tx: tx.tags.set(app, Tag("1.0"), ONE, alice))
    assert sorted(metadata.transact(lambda tx: tx.tags.close_all(app, ONE, alice))) == [Tag("1.0"), LATEST]
    assert metadata.observe(lambda tx: (tx.tags.find(app, LATEST), tx.tags.find(other, LATEST))) == (None, ONE)


# The journal


def test_events_and_reviews_can_be_written_again(metadata: Metadata, app: Repository, alice: Caller) -> None:
    def write(tx: Transaction) -> None:
        tx.journal.event(Action.SET_TAG, app, alice, ONE, "latest")
        tx.journal.review(app, ContentKind.BLOB, ONE, tx.now + DAY)

    for _ in range(2):
        metadata.transact(write)
