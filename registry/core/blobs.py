"""Blobs as a repository serves them: mounting, renewing, losing and deleting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from registry.core.facts import Action, Caller, ContentKind, ObjectKey, StoredBlob
from registry.core.linking import link
from registry.core.ports import Metadata, ObjectStore, Transaction
from registry.core.quota import Accepted
from registry.oci.digest import Digest
from registry.oci.errors import BlobUnknown, NotAllowed
from registry.oci.names import RepositoryName


@dataclass(frozen=True, slots=True)
class BlobService:
    """The rules of blobs; `lease` is how long a link holds without a manifest; `sparse`: manifests may dangle."""

    metadata: Metadata
    store: ObjectStore
    lease: timedelta
    sparse: bool

    def find_source(self, digest: Digest, readable: Callable[[RepositoryName], bool]) -> RepositoryName | None:
        """A repository to mount the blob from, of those that satisfy `readable`."""
        return self.metadata.observe(lambda tx: tx.links.find_anywhere(digest, readable))

    def mount(self, name: RepositoryName, digest: Digest, source: RepositoryName, caller: Caller) -> Accepted | None:
        """Serve here what another repository serves, which the caller must be allowed to pull.

        What is to be told of soft limits; None when it serves no such blob, or one whose object is lost: that has to be
        pushed again (distribution-spec, Mounting a blob from another repository). Raises: QuotaExceeded.
        """
        if not self._is_whole(digest, source, caller):
            return None

        def serve(tx: Transaction) -> Accepted | None:
            blob = _served(tx, source, digest)
            if blob is None:
                return None
            repository = tx.repositories.get_or_create(name, caller)
            link(tx, repository, digest, blob.size, self.lease)
            tx.journal.event(Action.MOUNT_BLOB, repository, caller, digest, reference=str(source))
            return Accepted(tx.notices)

        return self.metadata.transact(serve)

    def _is_whole(self, digest: Digest, source: RepositoryName, caller: Caller) -> bool:
        blob = self.metadata.observe(lambda tx: _served(tx, source, digest))
        if blob is None:
            return False
        if blob.key is None or self.store.size(blob.key) == blob.size:
            return True
        self.mark_damaged(source, digest, blob.key, caller)
        return False

    def due(self, blob: StoredBlob) -> datetime:
        """From when on an answer that it exists must renew its lease first: half its life (design §3)."""
        return blob.lease_until - self.lease / 2

    def renew(self, name: RepositoryName, digest: Digest) -> None:
        """Promise the blob for another lease to somebody who was about to push it. Raises: BlobUnknown."""

        def extend(tx: Transaction) -> None:
            repository = tx.repositories.find(name)
            if repository is None or not tx.links.renew(repository, digest, self.lease):
                raise BlobUnknown(digest=str(digest))
            tx.journal.review(repository, ContentKind.BLOB, digest, tx.now + self.lease)

        self.metadata.transact(extend)

    def mark_damaged(self, name: RepositoryName, digest: Digest, key: ObjectKey, caller: Caller) -> None:
        """Its object is missing or short: serve it nowhere until it is pushed again, so that clients do push it."""

        def mark(tx: Transaction) -> None:
            repository = tx.repositories.find(name)
            if tx.blobs.mark_damaged(digest, key) and repository:
                tx.journal.event(Action.DAMAGED_BLOB, repository, caller, digest)

        self.metadata.transact(mark)

    def delete(self, name: RepositoryName, digest: Digest, caller: Caller) -> None:
        """Serve it here no more, from now on. Raises: BlobUnknown, NotAllowed when a manifest needs it."""

        def forget(tx: Transaction) -> None:
            repository = tx.repositories.find(name)
            if repository is None:
                raise BlobUnknown(digest=str(digest))
            if not tx.links.hide(repository, digest):
                raise BlobUnknown(digest=str(digest))
            holders = [] if self.sparse else tx.manifests.holders(repository, ContentKind.BLOB, digest)
            if holders:
                # Raised inside the transaction: the link is as visible as it was.
                raise NotAllowed(digest=str(digest), referencedBy=str(holders[0]))
            tx.journal.review(repository, ContentKind.BLOB, digest, tx.now)
            tx.journal.event(Action.DELETE_BLOB, repository, caller, digest)

        self.metadata.transact(forget)


def _served(tx: Transaction, name: RepositoryName, digest: Digest) -> StoredBlob | None:
    repository = tx.repositories.find(name)
    return tx.links.find(repository, digest) if repository else None
