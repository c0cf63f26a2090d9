"""Usage explained: which bytes a project is charged for, why they are there still, and which repository holds them.

The parts come from one snapshot, and with what is reserved they are the project's counter, to the byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from registry.core.quota import Project


class Because(IntEnum):
    """Why something is there; the first that holds."""

    SERVED = 0
    # Restorable, or needed by what is.
    UNDO = 1
    # By nothing else than a lease: a push may be about to name it.
    LEASE = 2
    # The collector will take it.
    NOTHING = 3


@dataclass(frozen=True, slots=True)
class Part:
    """Contents of a project that are there for one reason; `repository` is the only one to hold them, or None."""

    because: Because
    repository: str | None
    size: int


@dataclass(frozen=True, slots=True)
class ExplainedUsage:
    """Everything that a project is charged for."""

    project: Project
    used: int
    reserved: int
    parts: Sequence[Part]

    @property
    def shared(self) -> int:
        """What several of its repositories hold, which is charged once."""
        return sum(each.size for each in self.parts if each.repository is None)

    def by_reason(self) -> Mapping[Because, int]:
        """Bytes; with what is reserved, they are all."""
        return {why: sum(each.size for each in self.parts if each.because is why) for why in Because}

    def by_repository(self) -> Mapping[str, int]:
        """Bytes that this repository alone holds; with those that are shared and reserved, they are all."""
        names = sorted({each.repository for each in self.parts if each.repository is not None})
        return {name: sum(each.size for each in self.parts if each.repository == name) for name in names}
