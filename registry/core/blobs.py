"""Blobs as a repository serves them: mounting, renewing, losing and deleting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from registry.core.access import Access, Right
from registry.core.facts import Action, Caller, ContentKind, ObjectKey, StoredBlob
from registry.core.ports import Metadata, Transaction
from registry.oci.digest import Digest
from registry.oci.errors import BlobUnknown, NotAllowed
from registry.oci.names import RepositoryName


@dataclass(frozen=True, slots=True)
class BlobService:
    """The rules of blobs; `lease` is how long a link holds without a manifest; `sparse`: manifests may dangle."""

    metadata: Metadata
    access: Access
    lease: timedelta
    sparse: bool

    def mount(self, name: RepositoryName, digest: Digest, source: RepositoryName | None, caller: Caller) -> bool:
        """Serve here what a repository serves that the caller may pull; `source` None searches them all.

        False when that cannot be done, for whatever reason: to say which would tell what exists
        (distribution-spec, Mounting a blob from another repository; CVE-2024-39897).
        """

        def readable(other: RepositoryName) -> bool:
            return self.access.granted(caller, Right.PULL, other)

        def find(tx: Transaction) -> StoredBlob | None:
            if source is None:
                return tx.links.find_anywhere(digest, readable)
            repository = tx.repositories.find(source) if readable(source) else None
            return tx.links.find(repository, digest) if repository else None

        def link(tx: Transaction) -> bool:
            blob = find(tx)
            if blob is None:
                return False
            repository = tx.repositories.get_or_create(name)
            if tx.links.put(repository, digest, self.lease):
                tx.repositories.charge(repository, ContentKind.BLOB, digest, blob.size)
            tx.journal.review(repository, ContentKind.BLOB, digest, tx.now + self.lease)
            tx.journal.event(Action.MOUNT_BLOB, repository, caller, digest, reference=str(source or ""))
            return True

        return self.metadata.transact(link)

    def is_due(self, blob: StoredBlob, now: datetime) -> bool:
        """Whether an answer that it exists must renew its lease first: past half its life (design §3)."""
        return blob.lease_until - now < self.lease / 2

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
            holders = [] if self.sparse else tx.manifests.holders(repository, digest, limit=1)
            if holders and tx.links.find(repository, digest):
                raise NotAllowed(digest=str(digest), referencedBy=str(holders[0]))
            if not tx.links.hide(repository, digest):
                raise BlobUnknown(digest=str(digest))
            tx.journal.review(repository, ContentKind.BLOB, digest, tx.now)
            tx.journal.event(Action.DELETE_BLOB, repository, caller, digest)

        self.metadata.transact(forget)
