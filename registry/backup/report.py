"""What came of a backup or a restore: what was copied, what was there already, and every object that did not come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from registry.metadata.kept_facts import KeptObject


class Watcher(Protocol):
    """Somebody who wants to know how far it is."""

    def waits(self) -> None:
        """Somebody else sweeps, or makes a backup."""
        ...

    def begins(self, objects: int, size: int) -> None:
        """What there is to do."""
        ...

    def advances(self, size: int) -> None:
        """One more object is done with, one way or the other."""
        ...


@dataclass(frozen=True, slots=True)
class Broken:
    """An object that did not come; one that the registry itself had marked damaged before is no news."""

    digest: str
    key: str
    reason: str
    is_known: bool


@dataclass(frozen=True, slots=True)
class Copied:
    """What came of one object."""

    kept: KeptObject
    is_new: bool = False
    broken: Broken | None = None


@dataclass(slots=True)
class Report:
    """Counted while it happens; sizes are bytes of objects."""

    instance: str
    at: str
    counts: Mapping[str, int]
    copied: int = 0
    copied_bytes: int = 0
    present: int = 0
    present_bytes: int = 0
    removed: int = 0
    broken: list[Broken] = field(default_factory=list)
    known: list[Broken] = field(default_factory=list)

    def count(self, one: Copied) -> None:
        """One more object."""
        if one.broken is not None:
            (self.known if one.broken.is_known else self.broken).append(one.broken)
        elif one.is_new:
            self.copied += 1
            self.copied_bytes += one.kept.size
        else:
            self.present += 1
            self.present_bytes += one.kept.size

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "instance": self.instance,
            "at": self.at,
            **self.counts,
            "objects": {"copied": self.copied, "present": self.present, "removed": self.removed},
            "bytes": {"copied": self.copied_bytes, "present": self.present_bytes},
            "broken": [_told(each) for each in self.broken],
            "known": [_told(each) for each in self.known],
        }


def _told(broken: Broken) -> dict[str, str]:
    return {"digest": broken.digest, "key": broken.key, "reason": broken.reason}
