"""The collector: what nothing holds any more is given back, while people push and pull (design 3).

Whatever ends a hold enqueues a review; nothing is decided there. When a review is due, a transaction decides about its
candidate, whose row is held before a new statement looks at what might hold it:

    manifest   visible                                 kept: untagged ones too, until a rule says otherwise
               deleted, restorable still               again when that ends
               child of a manifest that is there       kept: whoever ends that has it reviewed
               else                                    goes: its parts are reviewed, untagged referrers deleted
    blob       referenced by a manifest that is there  kept, restorable ones included: whoever ends that has it reviewed
               leased                                  again when the lease ends
               else                                    its link goes, the project is refunded
               linked nowhere                          goes; its object is doomed, and the sweeper deletes that

Blobs are decided about by the lot, which costs one commit where each would cost its own. A candidate that somebody else
holds at that moment is left for the next round: nobody waits for the collector, and any number of them may run. Killed
anywhere, a transaction has happened or not, and the review is there still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from registry.core.collect_facts import HeldLink, Review, RunKind
from registry.core.collect_repositories import RepositoryCollector
from registry.core.counts import counted
from registry.core.facts import ContentKind
from registry.core.ports import Contradicted, Metadata, Transaction
from registry.core.rest import no_rest
from registry.core.sweep import is_paused
from registry.core.watching import Unwatched, Watcher
from registry.oci.digest import Digest

COLLECTOR_WANTED: Final = "collector_wanted"
"""The setting that, while it is there, asks for a round soon; its text says since when."""
_BATCH: Final = 200
_UNWATCHED: Final = Unwatched()


class Verdict(StrEnum):
    """What came of one review."""

    KEPT = "kept"
    LATER = "later"
    BUSY = "busy"
    REFUSED = "refused"
    UNLINKED = "unlinked"
    MANIFEST_GONE = "manifest gone"
    LINK_GONE = "link gone"
    BLOB_GONE = "blob gone"


@dataclass(slots=True)
class Collected:
    """Counts of one round: manifests, links, blobs and repositories that went, candidates that are kept.

    `refused` are candidates that the database would not let go, though nothing was seen to hold them.
    """

    manifests: int = 0
    links: int = 0
    blobs: int = 0
    kept: int = 0
    repositories: int = 0
    refused: int = 0

    @property
    def has_taken(self) -> bool:
        """Whether anything went."""
        return bool(self.manifests or self.links or self.blobs or self.repositories)

    def __str__(self) -> str:
        parts = (
            counted(self.repositories, "repository"),
            counted(self.manifests, "manifest"),
            counted(self.links, "link"),
        )
        return f"{', '.join(parts)} and {counted(self.blobs, 'blob')} went"

    def count(self, verdict: Verdict) -> None:
        """One more."""
        self.manifests += verdict is Verdict.MANIFEST_GONE
        self.links += verdict is Verdict.LINK_GONE
        self.blobs += verdict is Verdict.BLOB_GONE
        self.kept += verdict in {Verdict.KEPT, Verdict.LATER}
        self.refused += verdict is Verdict.REFUSED


Verdicts = Mapping[Review, Verdict]


@dataclass(frozen=True, slots=True)
class Collector:
    """The rules; `run` again and again, in any number of processes. `rest` is called after each transaction."""

    metadata: Metadata
    undo_window: timedelta
    rest: Callable[[], None] = no_rest

    def run(self, watcher: Watcher = _UNWATCHED) -> Collected:
        """Every review that is due, but for those of what somebody holds; nothing, or no more, once it is paused."""
        collected = Collected()
        began, wanted, is_paused = self.metadata.observe(_looks)
        if is_paused:
            return collected
        # First, so that what they leave is looked at in the same round.
        dissolved = RepositoryCollector(self.metadata, self.undo_window, self.rest).run()
        collected.manifests, collected.repositories = dissolved.manifests, dissolved.repositories
        collected.refused = dissolved.refused
        watcher.begins("collecting", self.metadata.observe(lambda tx: tx.reviews.counts()[1]))
        for lot in self._due():
            for verdict in self._decide(lot):
                collected.count(verdict)
            watcher.advances(len(lot))
        if wanted is not None or collected.has_taken or collected.refused:
            self.metadata.transact(lambda tx: _tell(tx, began, wanted, collected))
        return collected

    def is_wanted(self) -> bool:
        """Whether somebody asks for a round now, and may have one."""
        _, wanted, is_paused = self.metadata.observe(_looks)
        return wanted is not None and not is_paused

    def _due(self) -> Iterator[Sequence[Review]]:
        """Each once, in lots; what becomes due meanwhile is for the next round."""
        until = self.metadata.observe(lambda tx: tx.now)
        last: Review | None = None
        while lot := self._lot(until, last):
            yield lot
            last = lot[-1]

    def _lot(self, until: datetime, last: Review | None) -> Sequence[Review]:
        return self.metadata.observe(lambda tx: [] if is_paused(tx) else tx.reviews.due(until, last, _BATCH))

    def _decide(self, lot: Sequence[Review]) -> Iterator[Verdict]:
        blobs = [review for review in lot if review.kind is ContentKind.BLOB]
        verdicts = self._transact(_links, blobs)
        yield from verdicts.values()
        unlinked = [each for each in blobs if verdicts[each] in {Verdict.LINK_GONE, Verdict.UNLINKED}]
        # Apart from the links, because whoever pushes locks the blob first and then its link.
        yield from self._transact(_blobs, unlinked).values()
        for review in lot:
            if review.kind is ContentKind.MANIFEST:
                # One by one: each holds what others refer to, and enqueues what it referred to itself.
                yield from self._transact(self._manifest, [review]).values()

    def _transact(self, decide: Callable[[Transaction, Sequence[Review]], Verdicts], lot: Sequence[Review]) -> Verdicts:
        """About all together; where the database refuses that, about each alone."""
        if not lot:
            return {}
        try:
            return self.metadata.transact(lambda tx: decide(tx, lot))
        except Contradicted:
            if len(lot) == 1:
                return {lot[0]: Verdict.REFUSED}
            return {review: verdict for each in lot for review, verdict in self._transact(decide, [each]).items()}
        finally:
            self.rest()

    def _manifest(self, tx: Transaction, lot: Sequence[Review]) -> Verdicts:
        return {review: self._of_manifest(tx, review) for review in lot}

    def _of_manifest(self, tx: Transaction, review: Review) -> Verdict:
        if not tx.deleted_manifests.knows(review):
            return _settled(tx, review)
        held = tx.deleted_manifests.hold(review)
        if held is None:
            return Verdict.BUSY
        if held.deleted is None or tx.deleted_manifests.is_child(review):
            return _settled(tx, review)
        ends = held.deleted + self.undo_window
        if ends > tx.now:
            tx.reviews.postpone({review: ends})
            return Verdict.LATER
        # Nobody shows any more what they are about: as good as deleted by whoever deleted their subject.
        tx.deleted_manifests.delete_referrers(review, tx.now + self.undo_window)
        tx.deleted_manifests.remove(review, held)
        _settled(tx, review)
        return Verdict.MANIFEST_GONE


def _looks(tx: Transaction) -> tuple[datetime, str | None, bool]:
    """When it is, since when a round is wanted, and whether none may be."""
    return tx.now, tx.settings.find(COLLECTOR_WANTED), is_paused(tx)


def _tell(tx: Transaction, began: datetime, wanted: str | None, collected: Collected) -> None:
    tx.collector_runs.add(RunKind.COLLECTED, began, asdict(collected))
    # Who has asked again meanwhile is answered by the next round.
    if wanted is not None and tx.settings.find(COLLECTOR_WANTED) == wanted:
        tx.settings.remove(COLLECTOR_WANTED)


def _settled(tx: Transaction, review: Review) -> Verdict:
    """Until somebody enqueues it anew."""
    tx.reviews.settle([review])
    return Verdict.KEPT


def _links(tx: Transaction, lot: Sequence[Review]) -> Verdicts:
    held = tx.collection.hold_links(lot)
    # Only now that they are held: whoever was quicker to refer to one has committed, and is seen.
    referenced = tx.collection.referenced(held)
    verdicts = {each.review: _of_link(each, referenced, tx.now) for each in held}
    tx.collection.remove_links([each for each in held if verdicts[each.review] is Verdict.LINK_GONE])
    tx.reviews.settle([review for review, verdict in verdicts.items() if verdict is Verdict.KEPT])
    tx.reviews.postpone({each.review: each.lease for each in held if verdicts[each.review] is Verdict.LATER})
    others = [review for review in lot if review not in verdicts]
    busy = tx.collection.known_links(others)
    return verdicts | {review: Verdict.BUSY if review in busy else Verdict.UNLINKED for review in others}


def _of_link(held: HeldLink, referenced: AbstractSet[Review], now: datetime) -> Verdict:
    if held.review in referenced:
        return Verdict.KEPT
    return Verdict.LATER if held.lease > now else Verdict.LINK_GONE


def _blobs(tx: Transaction, lot: Sequence[Review]) -> Verdicts:
    # Several repositories may have let go of the same blob: it is counted with the last.
    digests = {review.digest: review for review in lot}
    held = tx.collection.hold_blobs(digests)
    linked = tx.collection.linked(held)
    gone = [each for each in held if each.digest not in linked]
    tx.collection.remove_blobs(gone)
    busy = tx.collection.known_blobs(digests.keys() - {each.digest for each in held})
    tx.reviews.settle([review for review in lot if review.digest not in busy])
    taken = {digests[each.digest] for each in gone}
    return {review: _of_blob(review, taken, busy) for review in lot}


def _of_blob(review: Review, taken: AbstractSet[Review], busy: AbstractSet[Digest]) -> Verdict:
    if review in taken:
        return Verdict.BLOB_GONE
    return Verdict.BUSY if review.digest in busy else Verdict.KEPT
