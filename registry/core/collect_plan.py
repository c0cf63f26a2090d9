"""What the collector would do, and why: it looks at what is committed by now, and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from registry.core.collect_facts import Prospect, Review
from registry.core.facts import ContentKind
from registry.core.ports import Metadata
from registry.core.refusals import Unfit
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid

_BATCH: Final = 500
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MARK: Final = re.compile(r"([0-9]{1,17}) ([0-9]{1,18}) ([a-z]+) (\S+)", re.ASCII)


class Fate(StrEnum):
    """What becomes of a candidate."""

    GOES = "goes"
    STAYS = "stays"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A review, its repository by name, and what becomes of it; `when` it is looked at is past for what is due.

    `frees` are the bytes that leave the registry with it, now or later.
    """

    review: Review
    repository: str
    fate: Fate
    reason: str
    when: datetime
    frees: int = 0

    def document(self) -> dict[str, object]:
        """For programs."""
        return {
            "fate": self.fate,
            "kind": self.review.kind,
            "digest": str(self.review.digest),
            "repository": self.repository,
            "reason": self.reason,
            "when": self.when.isoformat(),
            "frees": self.frees,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that waits for a decision, the longest due first."""

    metadata: Metadata
    undo_window: timedelta

    def candidates(self) -> Iterator[Candidate]:
        """One after the other, a page of them as of one moment."""
        last: Review | None = None
        while page := self.page(last, _BATCH):
            yield from page
            last = page[-1].review

    def page(self, last: Review | None, limit: int) -> Sequence[Candidate]:
        """Those after `last`."""
        now, prospects = self.metadata.observe(lambda tx: (tx.now, tx.reviews.prospects(last, limit)))
        return [self.judge(each, now) for each in prospects]

    def judge(self, prospect: Prospect, now: datetime) -> Candidate:
        """What becomes of it, by what is known."""
        if prospect.review.kind is ContentKind.MANIFEST:
            return _of_manifest(prospect, self.undo_window, now)
        return _of_blob(prospect, now)


def _of_manifest(prospect: Prospect, undo_window: timedelta, now: datetime) -> Candidate:
    if prospect.size is None:
        return _stays(prospect, "it is gone already")
    if prospect.deleted is None:
        return _stays(prospect, "it is not deleted")
    if prospect.is_held:
        return _stays(prospect, "an index lists it")
    ends = max(prospect.deleted + undo_window, prospect.review.due)
    if ends > now:
        return _later(prospect, f"deleted, and can be restored until {ends:%Y-%m-%d %H:%M}", ends)
    return _goes(prospect, "deleted, and its undo window is over")


def _of_blob(prospect: Prospect, now: datetime) -> Candidate:
    if prospect.lease is None:
        tell = _stays if prospect.size is None or prospect.is_shared else _goes
        return tell(prospect, "its link is gone already")
    if prospect.is_held:
        return _stays(prospect, "a manifest references it")
    ends = max(prospect.lease, prospect.review.due)
    if ends > now:
        return _later(prospect, f"no manifest references it, and its lease ends {ends:%Y-%m-%d %H:%M}", ends)
    return _goes(prospect, "no manifest references it, and its lease is over")


def _stays(prospect: Prospect, reason: str) -> Candidate:
    return Candidate(prospect.review, prospect.repository, Fate.STAYS, reason, prospect.review.due)


def _later(prospect: Prospect, reason: str, ends: datetime) -> Candidate:
    return Candidate(prospect.review, prospect.repository, Fate.LATER, reason, ends, _frees(prospect))


def _goes(prospect: Prospect, reason: str) -> Candidate:
    review = prospect.review
    return Candidate(review, prospect.repository, Fate.GOES, reason, review.due, _frees(prospect))


def _frees(prospect: Prospect) -> int:
    """Where another repository links the same bytes, none."""
    return 0 if prospect.is_shared else prospect.size or 0


def mark_of(candidate: Candidate) -> str:
    """Where the page after the one that ends so begins."""
    review = candidate.review
    return f"{(review.due - _EPOCH) // _MICROSECOND} {review.repository} {review.kind} {review.digest}"


def after_mark(mark: str) -> Review | None:
    """What such a mark says; None for the first page. Raises: Unfit."""
    if not mark:
        return None
    found = _MARK.fullmatch(mark)
    try:
        due, repository, kind, digest = found.groups() if found else ("", "", "", "")
        return Review(int(repository), ContentKind(kind), Digest.parse(digest), _EPOCH + int(due) * _MICROSECOND)
    except (ValueError, DigestInvalid):
        raise Unfit(after=mark[:100], reason="no page of the plan ends there") from None
