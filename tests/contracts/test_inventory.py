"""What every database promises to who compares its rows with a store (`Inventory`, `Remedies`, `Usage`).

What comes of them together is in tests/unit/core/test_fsck_run.py, over both databases too.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from registry.core.facts import Caller, ContentKind, ObjectKey, Repository
from registry.core.fsck_facts import ContentRow, Lack, ObjectRow, ObjectState, Places, ProjectUsage
from registry.core.ports import Metadata, Transaction
from registry.oci.digest import Digest
from registry.oci.manifest import Kind, Manifest, Reference
from registry.oci.media_types import OCI_MANIFEST
from registry.oci.names import RepositoryName, Tag
from registry.storage.layout import new_key, tails_of
from tests.contracts.test_metadata import DAY

APP = RepositoryName("team/app")
ONE, TWO = Digest.of(b"one"), Digest.of(b"two")


@pytest.fixture
def alice(metadata: Metadata) -> Caller:
    return metadata.transact(lambda tx: tx.accounts.add("alice", "user"))


@pytest.fixture
def app(metadata: Metadata) -> Repository:
    return metadata.transact(lambda tx: tx.repositories.get_or_create(APP))


def add(metadata: Metadata, digest: Digest | None = None, *, then: str = "live") -> ObjectRow:
    """An object, of a blob if there is a digest."""
    key = new_key()

    def work(tx: Transaction) -> None:
        object_id = tx.objects.add(key)
        if digest is not None:
            tx.blobs.put_object(digest, 3, object_id)
        elif then == "live":
            tx.objects.live(object_id, 3)
        if then == "doomed":
            tx.objects.doom(object_id)

    metadata.transact(work)
    return named(metadata, key)[key]


def named(metadata: Metadata, *keys: ObjectKey) -> dict[ObjectKey, ObjectRow]:
    return metadata.observe(lambda tx: tx.inventory.named(keys))


def serve(metadata: Metadata, repository: Repository, digest: Digest) -> None:
    def work(tx: Transaction) -> None:
        tx.links.put(repository, digest, DAY)
        tx.repositories.charge(repository, ContentKind.BLOB, digest, 3)

    metadata.transact(work)


def does(metadata: Metadata, work: Callable[[Transaction], bool]) -> list[bool]:
    """What it says the first time, and the second."""
    return [metadata.transact(work), metadata.transact(work)]


def test_objects_come_in_pages_with_who_names_them(metadata: Metadata, app: Repository, alice: Caller) -> None:
    rows = [add(metadata, ONE), add(metadata, then="receiving"), add(metadata, then="doomed")]

    def attach(tx: Transaction) -> None:
        tx.uploads.add("a session", app, alice, "sha256", tx.now + DAY)
        session = tx.uploads.find(APP, "a session")
        assert session is not None
        tx.uploads.attach(session, rows[1].id)

    metadata.transact(attach)
    first = metadata.observe(lambda tx: tx.inventory.objects(0, 2))
    rest = metadata.observe(lambda tx: tx.inventory.objects(first[-1].id, 2))
    assert [(row.state, row.digest, row.size) for row in (*first, *rest)] == [
        (ObjectState.LIVE, ONE, 3),
        (ObjectState.RECEIVING, None, 0),
        (ObjectState.DOOMED, None, 0),
    ]
    assert [row.upload is not None for row in (*first, *rest)] == [False, True, False]
    assert metadata.observe(lambda tx: tx.inventory.count())[0] == 3


def test_rows_are_found_by_any_number_of_keys(metadata: Metadata) -> None:
    rows = [add(metadata) for _ in range(120)]
    found = named(metadata, *(row.key for row in rows), new_key(), rows[0].key)
    assert found == {row.key: row for row in rows}
    assert named(metadata) == {}


def test_a_blob_tells_where_its_bytes_are(metadata: Metadata) -> None:
    row = add(metadata, ONE)
    metadata.transact(lambda tx: tx.blobs.put_content(TWO, b"two"))
    assert metadata.observe(lambda tx: tx.inventory.blob(ONE)) == row
    content = metadata.observe(lambda tx: tx.inventory.blob(TWO))
    assert isinstance(content, ContentRow)
    assert (content.content, content.is_blob, content.is_damaged) == (b"two", True, False)
    assert metadata.observe(lambda tx: tx.inventory.blob(Digest.of(b"three"))) is None
    assert metadata.observe(lambda tx: tx.inventory.contents(0, 9)) == [content]


def test_an_owned_key_is_doomed_and_owned_once(metadata: Metadata) -> None:
    key = tails_of(new_key())
    assert does(metadata, lambda tx: tx.remedies.own(key)) == [True, False]
    assert named(metadata, key)[key].state is ObjectState.DOOMED
    row = add(metadata, ONE)
    assert does(metadata, lambda tx: tx.remedies.own(row.key)) == [False, False]


def test_only_what_nobody_names_is_doomed(metadata: Metadata) -> None:
    held, free = add(metadata, ONE), add(metadata)
    assert does(metadata, lambda tx: tx.remedies.doom_unnamed(held.id)) == [False, False]
    assert does(metadata, lambda tx: tx.remedies.doom_unnamed(free.id)) == [True, False]


def test_only_what_a_blob_names_is_revived(metadata: Metadata) -> None:
    held, free = add(metadata, ONE, then="doomed"), add(metadata, then="doomed")
    assert does(metadata, lambda tx: tx.remedies.revive(held.id)) == [True, False]
    assert does(metadata, lambda tx: tx.remedies.revive(free.id)) == [False, False]
    assert named(metadata, held.key)[held.key].is_served


def test_only_a_session_without_an_object_to_write_to_is_ended(
    metadata: Metadata, app: Repository, alice: Caller
) -> None:
    row = add(metadata, then="receiving")

    def begin(tx: Transaction) -> int:
        tx.uploads.add("a session", app, alice, "sha256", tx.now + DAY)
        session = tx.uploads.find(APP, "a session")
        assert session is not None
        tx.uploads.attach(session, row.id)
        return session.id

    session = metadata.transact(begin)
    assert does(metadata, lambda tx: tx.remedies.end_session(session)) == [False, False]
    metadata.transact(lambda tx: tx.objects.doom(row.id))
    assert does(metadata, lambda tx: tx.remedies.end_session(session)) == [True, False]


def test_damage_is_healed_where_it_was_verified_and_nowhere_else(metadata: Metadata) -> None:
    row, other = add(metadata, ONE), new_key()
    metadata.transact(lambda tx: tx.blobs.mark_damaged(ONE, row.key))
    assert does(metadata, lambda tx: tx.remedies.heal(ONE, other)) == [False, False]
    assert does(metadata, lambda tx: tx.remedies.heal(ONE, row.key)) == [True, False]


def test_a_manifest_lacks_what_is_not_linked(metadata: Metadata, app: Repository, alice: Caller) -> None:
    add(metadata, ONE)
    manifest = Manifest(
        OCI_MANIFEST, (Reference(Kind.LAYER, ONE, 3, ""), Reference(Kind.SUBJECT, TWO, 3, "")), None, {}
    )
    digest = Digest.of(b"manifest")
    metadata.transact(lambda tx: tx.manifests.put(app, digest, b"manifest", manifest, alice))
    metadata.transact(lambda tx: tx.tags.set(app, Tag("1"), digest, alice))
    last = metadata.observe(lambda tx: tx.inventory.count())[3]
    assert metadata.observe(lambda tx: tx.inventory.lacks(0, last)) == [Lack(str(APP), digest, OCI_MANIFEST, ONE)]
    assert metadata.observe(lambda tx: tx.inventory.lacks(last, last + 9)) == []
    assert metadata.observe(lambda tx: tx.inventory.content(digest)) == b"manifest"
    serve(metadata, app, ONE)
    assert metadata.observe(lambda tx: tx.inventory.lacks(0, last)) == []
    expected = Places((str(APP),), (f"{APP}:1",))
    assert metadata.observe(lambda tx: tx.inventory.places(ContentKind.BLOB, ONE)) == expected
    assert metadata.observe(lambda tx: tx.inventory.places(ContentKind.MANIFEST, digest)) == expected


def test_usage_is_what_one_moment_shows(metadata: Metadata, app: Repository) -> None:
    add(metadata, ONE)
    serve(metadata, app, ONE)
    (usage,) = metadata.observe(lambda tx: tx.usage.projects(0, 9))
    assert usage == ProjectUsage(app.project, "team", 3, 3)
    assert metadata.observe(lambda tx: tx.usage.projects(usage.id, 9)) == []
    assert metadata.observe(lambda tx: tx.usage.miscounts(app.project, 9)) == []


def test_a_content_is_charged_for_the_links_that_there_are(metadata: Metadata, app: Repository) -> None:
    add(metadata, ONE)
    metadata.transact(lambda tx: tx.repositories.charge(app, ContentKind.BLOB, ONE, 7))
    (miscount,) = metadata.observe(lambda tx: tx.usage.miscounts(app.project, 9))
    assert (miscount.digest, miscount.counted, miscount.held) == (ONE, 1, 0)
    # No manifest references it, so there is nothing to link again.
    assert metadata.transact(lambda tx: tx.usage.relink(app.project, ONE)) == 0
    metadata.transact(lambda tx: tx.links.put(app, ONE, DAY))

    def recount(tx: Transaction) -> None:
        tx.usage.recount(app.project, ContentKind.BLOB, ONE)
        tx.usage.resum(app.project)

    metadata.transact(recount)
    assert metadata.observe(lambda tx: tx.usage.projects(0, 9)) == [ProjectUsage(app.project, "team", 3, 3)]
    assert metadata.observe(lambda tx: tx.usage.miscounts(app.project, 9)) == []
