"""What fsck does about a finding: each remedy is one transaction, which asks first whether it is still called for.

Nothing is deleted here but parts of a multipart upload that nobody can go on with: what is nobody's gets a doomed row,
and the sweeper deletes it in its own order, as everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from registry.core.facts import ObjectKey
from registry.core.fsck import Charge, Finding, Outcome, Remedy
from registry.core.fsck_bytes import computed
from registry.core.fsck_facts import ContentRow, Held, Lack, ObjectRow, ObjectState
from registry.core.ports import Hashes, Metadata, ObjectLost, ObjectStore, StoreInventory, Transaction
from registry.core.recounting import recount
from registry.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class Physician:
    """Applies remedies; safe in any number of threads."""

    metadata: Metadata
    store: ObjectStore
    inventory: StoreInventory
    hashes: Hashes

    def apply(self, remedy: Remedy, finding: Finding) -> Outcome | None:
        """What came of it; None when what was found is so no more."""
        match finding.about:
            case ObjectRow() as row:
                return self._treat_row(remedy, row)
            case ContentRow() as row:
                return self._treat_content(remedy, row)
            case Held() as held:
                return self._treat_held(remedy, held)
            case Charge() as charge:
                return self._recount(charge)
            case Lack():
                return Outcome.LEFT

    def _treat_row(self, remedy: Remedy, row: ObjectRow) -> Outcome | None:
        digest, session = row.digest, row.upload
        if remedy is Remedy.MARK_DAMAGED and digest is not None:
            return self._done(lambda tx: tx.blobs.mark_damaged(digest, row.key), Outcome.MARKED)
        if remedy is Remedy.VERIFY and digest is not None:
            if computed(self.store, self.hashes, row.key, digest.algorithm) != (digest, row.size):
                return Outcome.LEFT
            return self._done(lambda tx: tx.remedies.heal(digest, row.key))
        if remedy is Remedy.END_SESSION and session is not None:
            return self._done(lambda tx: tx.remedies.end_session(session))
        if remedy is Remedy.REVIVE:
            return self._done(lambda tx: tx.remedies.revive(row.id))
        return self._done(lambda tx: tx.remedies.doom_unnamed(row.id))

    def _treat_content(self, remedy: Remedy, row: ContentRow) -> Outcome | None:
        if remedy is Remedy.VERIFY:
            # Its bytes were read for the finding.
            return self._done(lambda tx: tx.remedies.heal_content(row.digest, row.content))
        if row.is_damaged:
            return Outcome.LEFT
        return self._done(lambda tx: tx.remedies.mark_content_damaged(row.digest, row.content), Outcome.MARKED)

    def _treat_held(self, remedy: Remedy, held: Held) -> Outcome | None:
        key, owner = held.key, held.owner
        if key is None or owner is None:
            return Outcome.LEFT
        if remedy is Remedy.ADOPT:
            return self._adopt(key)
        if remedy is Remedy.ABORT:
            return self._abort(held, key)
        return self._own(owner)

    def _own(self, key: ObjectKey) -> Outcome | None:
        return self._done(lambda tx: tx.remedies.own(key))

    def _adopt(self, key: ObjectKey) -> Outcome | None:
        """Make it the object of the blob that it is, unless that has a good one: then it is one too many."""
        found = computed(self.store, self.hashes, key, "sha256")
        if found is None:
            return None
        digest, size = found
        former = self.metadata.observe(lambda tx: tx.inventory.blob(digest))
        if self._is_good(former):
            return self._own(key)
        try:
            self.inventory.keep(key)
        except ObjectLost:
            return None

        def adopt(tx: Transaction) -> bool:
            # Another fsck may have been quicker with the key, or a push with the blob.
            if tx.inventory.named([key]) or tx.inventory.blob(digest) != former:
                return False
            tx.blobs.put_object(digest, size, tx.objects.add(key))
            return True

        return self._done(adopt)

    def _is_good(self, blob: ObjectRow | ContentRow | None) -> bool:
        """By its bytes: the others are given up for it, and may be the last ones that are right."""
        if blob is None or blob.is_damaged:
            return False
        if isinstance(blob, ContentRow):
            return Digest.of(blob.content, blob.digest.algorithm) == blob.digest
        found = computed(self.store, self.hashes, blob.key, "sha256") if blob.is_served else None
        return found == (blob.digest, blob.size)

    def _abort(self, held: Held, key: ObjectKey) -> Outcome | None:
        row = self.metadata.observe(lambda tx: tx.inventory.named([key])).get(key)
        if row is None:
            return self._own(key)
        is_over = row.state is ObjectState.LIVE
        if not is_over and (row.state is ObjectState.DOOMED or self.inventory.is_needed(held, row.stored)):
            return None
        self.inventory.abort(held)
        return Outcome.REPAIRED

    def _recount(self, charge: Charge) -> Outcome | None:
        project, miscount = charge.project.id, charge.miscount

        def set_right(tx: Transaction) -> bool:
            recount(tx, project, miscount)
            return True

        return self._done(set_right)

    def _done(self, work: Callable[[Transaction], bool], outcome: Outcome = Outcome.REPAIRED) -> Outcome | None:
        return outcome if self.metadata.transact(work) else None
