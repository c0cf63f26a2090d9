"""What every database promises to who reads everything again: in which order, and what was read just now."""

from __future__ import annotations

from datetime import datetime, timedelta

from registry.core.facts import ContentKind
from registry.core.fsck_facts import ObjectRow
from registry.core.ports import Metadata
from registry.core.scrub_facts import Due, Sums
from registry.oci.digest import Digest
from tests.contracts.test_inventory import add

ONE, TWO, THREE = (Digest.of(word) for word in (b"one", b"two", b"three"))
AGES = timedelta(days=1000)


def now(metadata: Metadata) -> datetime:
    return metadata.observe(lambda tx: tx.now)


def due(
    metadata: Metadata, *, last: Due | None = None, ago: timedelta = timedelta(0), damaged: bool = False
) -> list[Due]:
    until = now(metadata) - ago
    return list(metadata.observe(lambda tx: tx.scrubbing.due(until, last, 2, damaged=damaged)))


def test_blobs_are_due_by_when_they_were_verified_page_after_page(metadata: Metadata) -> None:
    rows = [add(metadata, digest) for digest in (ONE, TWO, THREE)]
    metadata.transact(lambda tx: tx.blobs.put_content(Digest.of(b"small"), b"small"))
    first = due(metadata)
    assert [each.row for each in first] == rows[:2]
    assert [each.row for each in due(metadata, last=first[-1])] == rows[2:]
    assert due(metadata, ago=AGES) == []
    assert metadata.observe(lambda tx: tx.scrubbing.bytes_due(tx.now)) == 9
    assert metadata.observe(lambda tx: tx.scrubbing.bytes_due(tx.now - AGES)) == 0


def test_what_was_read_is_due_after_all_others(metadata: Metadata) -> None:
    rows = [add(metadata, digest) for digest in (ONE, TWO)]
    metadata.transact(lambda tx: tx.scrubbing.looked(rows[:1]))
    assert [each.row for each in due(metadata)] == [rows[1], rows[0]]


def test_what_has_another_object_by_now_was_not_read(metadata: Metadata) -> None:
    former, other = add(metadata, ONE), add(metadata, TWO)
    replaced = add(metadata, ONE)
    before = due(metadata)
    metadata.transact(lambda tx: tx.scrubbing.looked([former]))
    metadata.transact(lambda tx: tx.scrubbing.looked([]))
    assert due(metadata) == before
    assert [each.row for each in before] == [other, replaced]


def mark(metadata: Metadata, row: ObjectRow) -> None:
    digest = row.digest
    assert digest is not None
    assert metadata.transact(lambda tx: tx.blobs.mark_damaged(digest, row.key))


def test_what_is_marked_is_due_apart(metadata: Metadata) -> None:
    whole, marked = add(metadata, ONE), add(metadata, TWO)
    mark(metadata, marked)
    assert [each.row for each in due(metadata)] == [whole]
    (found,) = due(metadata, damaged=True)
    assert (found.row.key, found.row.is_damaged) == (marked.key, True)
    metadata.transact(lambda tx: tx.scrubbing.looked([marked]))
    assert due(metadata, ago=timedelta(hours=1), damaged=True) == []


def test_the_sums_tell_how_much_was_verified_lately(metadata: Metadata) -> None:
    assert metadata.observe(lambda tx: tx.scrubbing.sums(tx.now, 0)) == Sums(0, 0, 0, 0, None, 0, 0, 0, 0)
    one, two = add(metadata, ONE), add(metadata, TWO)
    metadata.transact(lambda tx: tx.blobs.put_content(Digest.of(b"small"), b"small"))
    (content,) = metadata.observe(lambda tx: tx.inventory.contents(0, 9))
    lately = metadata.observe(lambda tx: tx.scrubbing.sums(tx.now - AGES, content.id))
    assert (lately.objects, lately.bytes, lately.verified, lately.verified_bytes) == (2, 6, 2, 6)
    assert (lately.contents, lately.walked) == (1, 1)
    assert lately.oldest is not None
    assert lately.oldest < now(metadata)
    mark(metadata, one)
    metadata.transact(lambda tx: tx.remedies.mark_content_damaged(content.digest, b"small"))
    later = metadata.observe(lambda tx: tx.scrubbing.sums(tx.now, 0))
    assert (later.objects, later.verified, later.walked) == (1, 0, 0)
    assert (later.damaged_blobs, later.damaged_manifests) == (2, 0)
    assert two.digest == TWO


def test_what_is_damaged_comes_by_digest(metadata: Metadata) -> None:
    rows = sorted((add(metadata, digest) for digest in (ONE, TWO, THREE)), key=lambda row: str(row.digest))
    for row in rows:
        mark(metadata, row)
    blobs = metadata.observe(lambda tx: tx.scrubbing.damaged(ContentKind.BLOB, None, 2))
    assert [(digest, size) for digest, size, _ in blobs] == [(row.digest, 3) for row in rows[:2]]
    rest = metadata.observe(lambda tx: tx.scrubbing.damaged(ContentKind.BLOB, blobs[-1][0], 2))
    assert [digest for digest, _, _ in rest] == [rows[2].digest]
    assert metadata.observe(lambda tx: tx.scrubbing.damaged(ContentKind.MANIFEST, None, 2)) == []
