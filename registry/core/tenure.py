"""One process in the world does a piece of background work at a time, and one that was too slow changes nothing.

take ──▶ fence 7 ──▶ transact … transact ──▶ release      each transaction asks whether 7 is still the number
  └─ somebody else has it: None                          and puts off the lease's end
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from registry.core.ports import Metadata, Transaction

T = TypeVar("T")


class TenureLost(Exception):
    """Another process has the work by now: this one took too long."""


@dataclass(frozen=True, slots=True)
class Tenure:
    """The lease `name` in the hands of `holder`, a name that no other process has; `span` outlasts any one step."""

    metadata: Metadata
    name: str
    holder: str
    span: timedelta = timedelta(minutes=5)

    def take(self) -> int | None:
        """The fence to work under; None while somebody else has it."""
        return self.metadata.transact(lambda tx: tx.leases.take(self.name, self.holder, tx.now + self.span))

    def transact(self, fence: int, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction that commits only for who has the lease. Raises: TenureLost."""

        def fenced(tx: Transaction) -> T:
            if not tx.leases.keep(self.name, fence, tx.now + self.span):
                raise TenureLost(self.name)
            return work(tx)

        return self.metadata.transact(fenced)

    def release(self, fence: int) -> None:
        """Let somebody else have it at once."""
        self.metadata.transact(lambda tx: tx.leases.release(self.name, fence))


@dataclass(frozen=True, slots=True)
class Fenced:
    """`Metadata` for as long as the lease is ours, for work that need not know of it."""

    tenure: Tenure
    fence: int

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """As `Tenure.transact`. Raises: TenureLost."""
        return self.tenure.transact(self.fence, work)

    def observe(self, work: Callable[[Transaction], T]) -> T:
        """To look needs no lease."""
        return self.tenure.metadata.observe(work)
