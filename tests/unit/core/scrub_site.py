"""A scrubber over a registry of any database and any store, with a clock that goes only while it rests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, BinaryIO

from registry.core.facts import ObjectKey
from registry.core.scrub import Scrubber
from registry.core.scrub_report import Scrubbed
from registry.core.watching import Unwatched
from registry.storage.cold import ColdReads
from registry.storage.hashing import hashes
from tests.unit.core.fsck_site import Site

EVERY = timedelta(days=30)
RATE = 1 << 20


@dataclass
class Resting:
    """`Time`: an end is asked for after so many rests."""

    at: float = 1000.0
    rests: int = 0
    ends_after: int | None = None

    def now(self) -> float:
        return self.at

    def rest(self, seconds: float) -> bool:
        self.at += seconds
        self.rests += 1
        return self.ends_after is not None and self.rests >= self.ends_after


@dataclass
class Watched:
    """A medium that tells what is read of it; before `happens_at` reads, something happens, once."""

    medium: ColdReads
    opened: list[tuple[ObjectKey, int]] = field(default_factory=list)
    forgotten: list[ObjectKey] = field(default_factory=list)
    before_opening: Callable[[], object] | None = None
    failing: Exception | None = None

    def size(self, key: ObjectKey) -> int | None:
        return self.medium.size(key)

    def open(self, key: ObjectKey, start: int = 0) -> BinaryIO:
        self.opened.append((key, start))
        happens, self.before_opening = self.before_opening, None
        if happens is not None:
            happens()
        if self.failing is not None:
            raise self.failing
        return self.medium.open(key, start)

    def forget(self, key: ObjectKey) -> None:
        self.forgotten.append(key)
        self.medium.forget(key)


@dataclass
class Scrubbing:
    """Passes over one registry."""

    site: Site
    time: Resting = field(default_factory=Resting)
    medium: Watched = field(init=False)

    def __post_init__(self) -> None:
        self.medium = Watched(ColdReads(self.site.store))

    @property
    def scrubber(self) -> Scrubber:
        return Scrubber(self.site.metadata, self.medium, hashes(), self.time, self.site.admin, EVERY, RATE)

    def run(self, **options: Any) -> Scrubbed:
        return self.scrubber.run(Unwatched(), **options)

    def found(self, **options: Any) -> dict[str, str]:
        """What a pass over everything finds, with what came of it."""
        report = self.run(everything=True, **options).report
        return {what.value: outcome.value for (what, outcome) in report.counts}

    def age(self, by: timedelta = EVERY * 2) -> None:
        """As if every blob, and the walk, had been verified so much earlier."""
        micros = by // timedelta(microseconds=1)
        self.site.execute("UPDATE blob SET verified_at = verified_at - ?", micros)
        self.site.execute("DELETE FROM setting WHERE name = 'scrub_contents'")

    def events(self) -> list[tuple[str, str]]:
        return [
            (action, target)
            for action, target in self.site.execute("SELECT action, target FROM event ORDER BY id")
            if action.endswith((".damaged", ".healed"))
        ]
