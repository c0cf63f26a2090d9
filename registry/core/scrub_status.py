"""How scrubbing stands: how much was verified lately, what came of the last pass, and what is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from registry.core.facts import ContentKind
from registry.core.ports import Metadata, Transaction
from registry.core.refusals import Unfit
from registry.core.scrub_facts import DOUBTS, LAST, PROGRESS, WALK, Damaged, Doubts, Progress, Sums, Walk
from registry.core.scrub_report import LastPass
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid


@dataclass(frozen=True, slots=True)
class ScrubStatus:
    """Verified is what was within `every`; `reading` is the object that the background work is in the middle of."""

    every: timedelta
    sums: Sums
    walk: Walk | None
    reading: Progress | None
    doubted: int
    last: LastPass | None

    @property
    def is_walking(self) -> bool:
        """Whether the walk through what lies in SQL is under way; else its `ended` tells when it was over."""
        return self.walk is not None and self.walk.ended is None

    @property
    def contents_verified(self) -> int:
        """Of what lies in SQL: all of it, unless the walk is somewhere in the middle."""
        return self.sums.walked if self.is_walking else self.sums.contents

    def document(self) -> dict[str, Any]:
        """For programs."""
        sums = asdict(self.sums)
        walked = self.walk.ended if self.walk is not None else None
        return {
            "every": int(self.every.total_seconds()),
            **{name: sums[name] for name in ("objects", "bytes", "verified", "verified_bytes")},
            "oldest": _text(self.sums.oldest),
            "contents": self.sums.contents,
            "contents_verified": self.contents_verified,
            "contents_walked": _text(walked),
            "damaged_blobs": self.sums.damaged_blobs,
            "damaged_manifests": self.sums.damaged_manifests,
            "doubted": self.doubted,
            "reading": None if self.reading is None else {"key": str(self.reading.key), "offset": self.reading.offset},
            "last": None if self.last is None else self.last.document(),
        }


@dataclass(frozen=True, slots=True)
class ScrubService:
    """The rules; `every` is how long what was verified is left alone."""

    metadata: Metadata
    every: timedelta

    def status(self) -> ScrubStatus:
        """As it is by now."""
        return self.metadata.observe(self._status)

    def _status(self, tx: Transaction) -> ScrubStatus:
        walk, progress, last = (tx.settings.find(name) for name in (WALK, PROGRESS, LAST))
        walked = Walk.parse(walk) if walk else None
        return ScrubStatus(
            self.every,
            tx.scrubbing.sums(tx.now - self.every, walked.after if walked else 0),
            walked,
            Progress.parse(progress) if progress else None,
            len(Doubts.parse(tx.settings.find(DOUBTS)).each),
            LastPass.parse(last) if last else None,
        )

    def damaged(self, after: str, limit: int) -> Sequence[Damaged]:
        """What is not served until it is pushed again, blobs first; `after` is the mark of the last one seen.

        Raises: Unfit.
        """
        first, last = _seen(after)
        kinds, found = list(ContentKind), list[Damaged]()
        for kind in kinds[kinds.index(first) :]:
            found += self._damaged(kind, last, limit - len(found))
            last = None
        return found

    def _damaged(self, kind: ContentKind, after: Digest | None, limit: int) -> Sequence[Damaged]:
        def look(tx: Transaction) -> Sequence[Damaged]:
            found = tx.scrubbing.damaged(kind, after, limit)
            return [
                Damaged(kind, digest, size, since, tx.inventory.places(kind, digest)) for digest, size, since in found
            ]

        return self.metadata.observe(look) if limit > 0 else []


def mark_of(damaged: Damaged) -> str:
    """Where the page after the one that ends so begins."""
    return f"{damaged.kind}@{damaged.digest}"


def _seen(mark: str) -> tuple[ContentKind, Digest | None]:
    """What such a mark says: which kind to begin with, and after what of it. Raises: Unfit."""
    if not mark:
        return ContentKind.BLOB, None
    kind, _, digest = mark.partition("@")
    try:
        return ContentKind(kind), Digest.parse(digest)
    except (ValueError, DigestInvalid):
        raise Unfit(after=mark[:100], reason="no page of what is damaged ends there") from None


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
