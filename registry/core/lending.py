"""A stream may lend the connection that brings it, to who sends the bytes on without looking at them.

lend ──▶ first, and a descriptor ── `count` bytes, or fewer where it is cut ──▶ take_back(how many) ──▶ read, lend
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Loan:
    """What has come already, and the descriptor at which exactly the next `count` bytes of the stream can be read.

    It never blocks. Who waits there for more than `patience` seconds takes it for cut.
    """

    first: bytes
    descriptor: int
    count: int
    patience: float


@runtime_checkable
class Lender(Protocol):
    """Such a stream."""

    def lend(self) -> Loan | None:
        """The descriptor stays the stream's own, which is left alone meanwhile; None where nobody else can read there.

        Waits for the first bytes, of which there are none at the stream's end only.
        """
        ...

    def take_back(self, taken: int) -> None:
        """Go on behind the bytes that were read there, without waiting."""
        ...
