"""What the collector would do, and why: it asks the same questions of what is committed by now, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final

from registry.core.collect_facts import Review
from registry.core.facts import ContentKind
from registry.core.ports import Metadata, Transaction

_BATCH: Final = 500


class Fate(StrEnum):
    """What becomes of a candidate."""

    GOES = "goes"
    STAYS = "stays"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A review, its repository by name, and what becomes of it; `when` it is looked at is past for what is due."""

    review: Review
    repository: str
    fate: Fate
    reason: str
    when: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that waits for a decision, the longest due first."""

    metadata: Metadata
    undo_window: timedelta

    def candidates(self) -> Iterator[Candidate]:
        """One after the other, each as of when it is asked for."""
        last: Review | None = None
        while lot := self._lot(last):
            for review in lot:
                yield self.metadata.observe(partial(self._candidate, review))
            last = lot[-1]

    def _lot(self, last: Review | None) -> list[Review]:
        return list(self.metadata.observe(lambda tx: tx.collection.waiting(last, _BATCH)))

    def _candidate(self, review: Review, tx: Transaction) -> Candidate:
        judge = self._of_manifest if review.kind is ContentKind.MANIFEST else _of_blob
        fate, reason, when = judge(tx, review)
        return Candidate(review, tx.collection.name_of(review), fate, reason, when)

    def _of_manifest(self, tx: Transaction, review: Review) -> tuple[Fate, str, datetime]:
        deleted = tx.collection.deleted_at(review)
        if not tx.collection.knows_manifest(review):
            return Fate.STAYS, "it is gone already", review.due
        if deleted is None:
            return Fate.STAYS, "it is not deleted", review.due
        if tx.collection.is_child(review):
            return Fate.STAYS, "an index lists it", review.due
        ends = max(deleted + self.undo_window, review.due)
        if ends > tx.now:
            return Fate.LATER, f"deleted, and can be restored until {ends:%Y-%m-%d %H:%M}", ends
        return Fate.GOES, "deleted, and its undo window is over", review.due


def _of_blob(tx: Transaction, review: Review) -> tuple[Fate, str, datetime]:
    lease = tx.collection.lease_of(review)
    if lease is None:
        is_linked = tx.collection.is_linked(review.digest)
        return (Fate.STAYS if is_linked else Fate.GOES), "its link is gone already", review.due
    if tx.collection.is_referenced(review):
        return Fate.STAYS, "a manifest references it", review.due
    ends = max(lease, review.due)
    if ends > tx.now:
        return Fate.LATER, f"no manifest references it, and its lease ends {ends:%Y-%m-%d %H:%M}", ends
    return Fate.GOES, "no manifest references it, and its lease is over", review.due
