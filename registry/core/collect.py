"""The collector: what nothing holds any more is given back, while people push and pull (design 3).

Whatever ends a hold enqueues a review; nothing is decided there. When a review is due, one transaction decides about
one candidate, its row held before a new statement looks at what might hold it:

    manifest   visible                                 kept: untagged ones too, until a rule says otherwise
               deleted, restorable still               again when that ends
               child of a manifest that is there       kept: whoever ends that has it reviewed
               else                                    goes: its parts are reviewed, untagged referrers deleted
    blob       leased                                  again when the lease ends
               referenced by a manifest that is there  kept, restorable ones included: whoever ends that has it reviewed
               else                                    its link goes, the project is refunded
               linked nowhere                          goes; its object is doomed, and the sweeper deletes that

A candidate that somebody else holds at that moment is left for the next round: nobody waits for the collector, and any
number of them may run. Killed anywhere, nothing has happened or all of it, and the review is there still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from registry.core.collect_facts import Review
from registry.core.collect_repositories import RepositoryCollector
from registry.core.facts import ContentKind
from registry.core.ports import Metadata, Transaction
from registry.core.sweep import COLLECTOR_PAUSED

LAST_COLLECTED: Final = "collector_last"
"""The setting that says when something went last, and how much."""
_BATCH: Final = 500


class Verdict(StrEnum):
    """What came of one review."""

    KEPT = "kept"
    LATER = "later"
    BUSY = "busy"
    UNLINKED = "unlinked"
    MANIFEST_GONE = "manifest gone"
    LINK_GONE = "link gone"
    BLOB_GONE = "blob gone"


@dataclass(slots=True)
class Collected:
    """Counts of one round: manifests, links, blobs and repositories that went, candidates that are kept."""

    manifests: int = 0
    links: int = 0
    blobs: int = 0
    kept: int = 0
    repositories: int = 0

    @property
    def has_taken(self) -> bool:
        """Whether anything went."""
        return bool(self.manifests or self.links or self.blobs or self.repositories)

    def __str__(self) -> str:
        return f"{self.manifests} manifests, {self.links} links and {self.blobs} blobs went"

    def count(self, verdict: Verdict) -> None:
        """One more."""
        self.manifests += verdict is Verdict.MANIFEST_GONE
        self.links += verdict is Verdict.LINK_GONE
        self.blobs += verdict is Verdict.BLOB_GONE
        self.kept += verdict in {Verdict.KEPT, Verdict.LATER}


@dataclass(frozen=True, slots=True)
class Collector:
    """The rules; `run` again and again, in any number of processes."""

    metadata: Metadata
    undo_window: timedelta

    def run(self) -> Collected:
        """Every review that is due, but for those of what somebody holds; nothing while the collector is paused."""
        collected = Collected()
        if self.metadata.observe(lambda tx: tx.settings.find(COLLECTOR_PAUSED)) is not None:
            return collected
        # First, so that what they leave is looked at in the same round.
        dissolved = RepositoryCollector(self.metadata, self.undo_window).run()
        collected.manifests, collected.repositories = dissolved.manifests, dissolved.repositories
        for review in self._due():
            for verdict in self._decide(review):
                collected.count(verdict)
        if collected.has_taken:
            self.metadata.transact(lambda tx: tx.settings.put(LAST_COLLECTED, f"{tx.now.isoformat()} {collected}"))
        return collected

    def _due(self) -> Iterator[Review]:
        """Each once, in lots; what becomes due meanwhile is for the next round."""
        until = self.metadata.observe(lambda tx: tx.now)
        last: Review | None = None
        while lot := self._lot(until, last):
            yield from lot
            last = lot[-1]

    def _lot(self, until: datetime, last: Review | None) -> Sequence[Review]:
        return self.metadata.observe(lambda tx: tx.collection.due(until, last, _BATCH))

    def _decide(self, review: Review) -> Iterator[Verdict]:
        if review.kind is ContentKind.MANIFEST:
            yield self._transact(review, self._manifest)
            return
        verdict = self._transact(review, _link)
        yield verdict
        if verdict in {Verdict.LINK_GONE, Verdict.UNLINKED}:
            # Apart from the link, because whoever pushes locks the blob first and then its link.
            yield self._transact(review, _blob)

    def _transact(self, review: Review, decide: Callable[[Transaction, Review], Verdict]) -> Verdict:
        return self.metadata.transact(lambda tx: decide(tx, review))

    def _manifest(self, tx: Transaction, review: Review) -> Verdict:
        if not tx.collection.knows_manifest(review):
            return _settled(tx, review)
        held = tx.collection.hold_manifest(review)
        if held is None:
            return Verdict.BUSY
        if held.deleted is None or tx.collection.is_child(review):
            return _settled(tx, review)
        ends = held.deleted + self.undo_window
        if ends > tx.now:
            return _later(tx, review, ends)
        # Nobody shows any more what they are about: as good as deleted by whoever deleted their subject.
        tx.collection.delete_referrers(review, tx.now + self.undo_window)
        tx.collection.remove_manifest(review, held)
        _settled(tx, review)
        return Verdict.MANIFEST_GONE


def _link(tx: Transaction, review: Review) -> Verdict:
    if not tx.collection.knows_link(review):
        return Verdict.UNLINKED
    lease = tx.collection.hold_link(review)
    if lease is None:
        return Verdict.BUSY
    # Only now that it is held: whoever was quicker to refer to it has committed, and is seen.
    if tx.collection.is_referenced(review):
        return _settled(tx, review)
    if lease > tx.now:
        return _later(tx, review, lease)
    tx.collection.remove_link(review)
    return Verdict.LINK_GONE


def _blob(tx: Transaction, review: Review) -> Verdict:
    if not tx.collection.knows_blob(review.digest):
        return _settled(tx, review)
    if not tx.collection.hold_blob(review.digest):
        return Verdict.BUSY
    if tx.collection.is_linked(review.digest):
        return _settled(tx, review)
    tx.collection.remove_blob(review.digest)
    _settled(tx, review)
    return Verdict.BLOB_GONE


def _settled(tx: Transaction, review: Review) -> Verdict:
    """Until somebody enqueues it anew."""
    tx.collection.settle(review)
    return Verdict.KEPT


def _later(tx: Transaction, review: Review, due: datetime) -> Verdict:
    tx.collection.postpone(review, due)
    return Verdict.LATER
