"""What scrubbing does about what it finds: one transaction each, with its event; nothing where it is so no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from registry.core.facts import Action, Caller
from registry.core.fsck import Finding, Outcome, What
from registry.core.fsck_facts import ContentRow, ObjectRow
from registry.core.ports import Metadata, Transaction
from registry.oci.digest import Digest

Row = ObjectRow | ContentRow


@dataclass(frozen=True, slots=True)
class Nurse:
    """Marks what is wrong, and serves again what is right after all; `by` is who the events are told of."""

    metadata: Metadata
    by: Caller

    def treat(self, finding: Finding, row: Row) -> Outcome | None:
        """What came of it; None when a push, or somebody else who looked, was quicker."""
        is_manifest = isinstance(row, ContentRow) and not row.is_blob
        if finding.what is What.BLOB_DAMAGED:
            action = Action.HEALED_MANIFEST if is_manifest else Action.HEALED_BLOB
            return Outcome.REPAIRED if self._does(_heal, row, action, finding) else None
        if row.is_damaged:
            return Outcome.LEFT
        action = Action.DAMAGED_MANIFEST if is_manifest else Action.DAMAGED_BLOB
        return Outcome.MARKED if self._does(_mark, row, action, finding) else None

    def _does(self, work: Callable[[Transaction, Row], bool], row: Row, action: Action, finding: Finding) -> bool:
        def do(tx: Transaction) -> bool:
            is_done = work(tx, row)
            if is_done:
                tx.journal.note(action, self.by, target=finding.name, detail=finding.reason)
            return is_done

        return self.metadata.transact(do)


def _mark(tx: Transaction, row: Row) -> bool:
    match row:
        case ContentRow(digest=digest, content=content):
            return tx.remedies.mark_content_damaged(digest, content)
        case ObjectRow(digest=Digest() as digest, key=key):
            return tx.blobs.mark_damaged(digest, key)
    return False


def _heal(tx: Transaction, row: Row) -> bool:
    match row:
        case ContentRow(digest=digest, content=content):
            return tx.remedies.heal_content(digest, content)
        case ObjectRow(digest=Digest() as digest, key=key):
            return tx.remedies.heal(digest, key)
    return False
