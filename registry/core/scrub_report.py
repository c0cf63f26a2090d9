"""What came of a pass of scrubbing: everything that was found, and the sums, which are kept as the last ones."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self

from registry.core.fsck import Outcome
from registry.core.fsck_report import Report


@dataclass(slots=True)
class Scrubbed:
    """Counted while it happens; `unread` could not be asked for and is tried again, `is_whole` when all was done."""

    report: Report = field(default_factory=Report)
    unread: int = 0
    is_whole: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether everything that was looked at can be served."""
        return not self.report.left and not self.unread

    @property
    def has_looked(self) -> bool:
        """Whether anything was due."""
        return bool(self.report.looked.objects or self.report.looked.contents or self.unread)

    def count(self, outcome: Outcome) -> int:
        """What ended so."""
        return sum(count for (_, each), count in self.report.counts.items() if each is outcome)

    def document(self) -> dict[str, Any]:
        """For programs."""
        document = self.report.document()
        return {
            **{name: document[name] for name in ("left", "found", "counts", "untold")},
            "looked_at": {name: document["looked_at"][name] for name in ("objects", "contents", "bytes")},
            "unread": self.unread,
            "is_whole": self.is_whole,
        }


@dataclass(frozen=True, slots=True)
class LastPass:
    """The sums of the last pass that had something to do; bytes are those that were read."""

    began: datetime
    ended: datetime
    is_whole: bool
    objects: int
    contents: int
    bytes: int
    damaged: int
    healed: int
    unread: int

    @classmethod
    def of(cls, scrubbed: Scrubbed, began: datetime, ended: datetime) -> Self:
        """What is kept of it."""
        looked, damaged = scrubbed.report.looked, scrubbed.count(Outcome.MARKED) + scrubbed.count(Outcome.LEFT)
        return cls(
            began,
            ended,
            scrubbed.is_whole,
            looked.objects,
            looked.contents,
            looked.bytes,
            damaged,
            scrubbed.count(Outcome.REPAIRED),
            scrubbed.unread,
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`."""
        found = json.loads(text)
        return cls(**found | {name: datetime.fromisoformat(found[name]) for name in ("began", "ended")})

    def __str__(self) -> str:
        return json.dumps(self.document())

    def document(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self) | {"began": self.began.isoformat(), "ended": self.ended.isoformat()}
