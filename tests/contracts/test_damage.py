"""What every database promises about bytes that turned out wrong: who serves them no more, and what heals that."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from registry.core.facts import Caller, Repository
from registry.core.ports import Metadata
from registry.oci.digest import Digest
from registry.oci.manifest import Kind, Manifest, Reference
from registry.oci.media_types import OCI_MANIFEST
from registry.oci.names import RepositoryName, Tag
from tests.contracts.conftest import Worker
from tests.contracts.test_inventory import does

APP, OTHER = RepositoryName("team/app"), RepositoryName("team/other")
BYTES = b"a manifest"
DIGEST = Digest.of(BYTES)
CHILD = Reference(Kind.CHILD, DIGEST, len(BYTES), OCI_MANIFEST)


@pytest.fixture
def alice(metadata: Metadata) -> Caller:
    return metadata.transact(lambda tx: tx.accounts.add("alice", "user"))


@pytest.fixture
def app(metadata: Metadata, alice: Caller) -> Repository:
    """Two repositories have the manifest; this is the first."""
    app = push(metadata, APP, alice)
    push(metadata, OTHER, alice)
    return app


def push(metadata: Metadata, name: RepositoryName, by: Caller) -> Repository:
    repository = metadata.transact(lambda tx: tx.repositories.get_or_create(name))
    manifest = Manifest(OCI_MANIFEST, (), None, {})
    metadata.transact(lambda tx: tx.manifests.put(repository, DIGEST, BYTES, manifest, by))
    metadata.transact(lambda tx: tx.tags.set(repository, Tag("1"), DIGEST, by))
    return repository


def served(worker: Worker) -> Sequence[bool]:
    """By digest and by tag, with its bytes and without, from both repositories."""
    return [
        worker.ask(lambda reader: getattr(reader, find)(name, reference)) is not None  # noqa: B023  run at once
        for name in (APP, OTHER)
        for reference in (DIGEST, Tag("1"))
        for find in ("manifest", "manifest_facts")
    ]


def test_a_manifest_with_wrong_bytes_is_served_nowhere(metadata: Metadata, app: Repository, worker: Worker) -> None:
    assert all(served(worker))
    assert does(metadata, lambda tx: tx.remedies.mark_content_damaged(DIGEST, BYTES)) == [True, False]
    assert not any(served(worker))
    missing = metadata.transact(lambda tx: tx.manifests.missing(app, [CHILD]))
    assert missing == [DIGEST]


def test_pushed_again_anywhere_it_is_served_everywhere(
    metadata: Metadata, app: Repository, alice: Caller, worker: Worker
) -> None:
    metadata.transact(lambda tx: tx.remedies.mark_content_damaged(DIGEST, BYTES))
    push(metadata, OTHER, alice)
    assert all(served(worker))
    assert metadata.transact(lambda tx: tx.manifests.missing(app, [CHILD])) == []


@pytest.mark.usefixtures("app")
def test_found_right_after_all_it_is_served_again(metadata: Metadata, worker: Worker) -> None:
    metadata.transact(lambda tx: tx.remedies.mark_content_damaged(DIGEST, BYTES))
    assert does(metadata, lambda tx: tx.remedies.heal_content(DIGEST, BYTES)) == [True, False]
    assert all(served(worker))


@pytest.mark.usefixtures("app")
def test_bytes_that_are_others_by_now_are_neither_marked_nor_healed(metadata: Metadata, worker: Worker) -> None:
    """Whoever pushed in between is the later one."""
    assert not metadata.transact(lambda tx: tx.remedies.mark_content_damaged(DIGEST, b"what was read"))
    assert all(served(worker))
    metadata.transact(lambda tx: tx.remedies.mark_content_damaged(DIGEST, BYTES))
    assert not metadata.transact(lambda tx: tx.remedies.heal_content(DIGEST, b"what was read"))
    assert not any(served(worker))


def test_a_small_blob_is_marked_with_its_bytes_and_healed_with_them(metadata: Metadata) -> None:
    small, other = Digest.of(b"small"), Digest.of(b"other")
    metadata.transact(lambda tx: tx.blobs.put_content(small, b"small"))
    metadata.transact(lambda tx: tx.blobs.put_content(other, b"other"))

    def damaged() -> list[bool]:
        return [row.is_damaged for row in metadata.observe(lambda tx: tx.inventory.contents(0, 9))]

    assert does(metadata, lambda tx: tx.remedies.mark_content_damaged(small, b"small")) == [True, False]
    assert damaged() == [True, False]
    assert does(metadata, lambda tx: tx.remedies.heal_content(small, b"small")) == [True, False]
    assert damaged() == [False, False]
    metadata.transact(lambda tx: tx.remedies.mark_content_damaged(small, b"small"))
    metadata.transact(lambda tx: tx.blobs.put_content(small, b"small"))
    assert damaged() == [False, False]
