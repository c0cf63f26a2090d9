"""What came of an fsck: how much was looked at, and everything that was found, counted, and told as far as it fits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from registry.core.fsck import Finding, Outcome, What

MOST_TOLD: Final = 1000
"""Of each kind: a disk that is lost has no need of a million lines, nor of the memory for them."""


@dataclass(slots=True)
class Looked:
    """How much was looked at; bytes are those that were read."""

    held: int = 0
    objects: int = 0
    contents: int = 0
    projects: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Report:
    """Counted while it happens; `is_released` when the collector was paused, and goes on from now.

    `paused` says why it still is.
    """

    looked: Looked = field(default_factory=Looked)
    found: list[tuple[Finding, Outcome]] = field(default_factory=list)
    counts: Counter[tuple[What, Outcome]] = field(default_factory=Counter)
    is_released: bool = False
    paused: str = ""
    _told: Counter[What] = field(default_factory=Counter)

    def finds(self, finding: Finding, outcome: Outcome) -> None:
        """One more."""
        self.counts[finding.what, outcome] += 1
        if self.tells(finding.what):
            self._told[finding.what] += 1
            self.found.append((finding, outcome))

    def tells(self, what: What) -> bool:
        """Whether the next one of this kind is told, and not only counted."""
        return self._told[what] < MOST_TOLD

    @property
    def left(self) -> int:
        """What is still to be complained about."""
        return sum(count for (_, outcome), count in self.counts.items() if outcome is not Outcome.REPAIRED)

    @property
    def untold(self) -> int:
        """How many are counted only."""
        return self.counts.total() - len(self.found)

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "looked_at": {name: getattr(self.looked, name) for name in Looked.__slots__},
            "left": self.left,
            "found": [
                {
                    "what": finding.what.value,
                    "name": finding.name,
                    "reason": finding.reason,
                    "outcome": outcome.value,
                    "repositories": list(finding.places.repositories),
                    "tags": list(finding.places.tags),
                    "more_places": finding.places.more,
                }
                for finding, outcome in self.found
            ],
            "counts": [
                {"what": what.value, "outcome": outcome.value, "count": count}
                for (what, outcome), count in sorted(self.counts.items())
            ],
            "untold": self.untold,
            "collector_released": self.is_released,
            "collector_paused": self.paused,
        }
