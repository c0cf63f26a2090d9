"""What a transaction can be asked of the audit log, and told of its seals. Events are written by `nouns.Journal`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from registry.core.audit import Event, Mark, Seal, Wanted


class Events(Protocol):
    """What happened."""

    def page(self, wanted: Wanted, after: Mark | None, limit: int) -> Sequence[Event]:
        """Newest first, behind `after`."""
        ...

    def unsealed(self, wanted: Wanted, after: int, limit: int) -> Sequence[Event]:
        """Those that no seal names yet, in the order of their ids, after this one; only the span of `wanted` counts."""
        ...

    def of(self, seal: int, limit: int) -> Sequence[Event]:
        """Those of a seal, in the order of their ids."""
        ...

    def loose(self) -> tuple[int, int]:
        """How many no seal names yet, and how many name one that is not there."""
        ...

    def seals_within(self, wanted: Wanted) -> tuple[int, int] | None:
        """The first and the last seal that hold an event of this span; None where none does."""
        ...


class Seals(Protocol):
    """The chain; only here are events ever touched again, and only to be sealed, and to be removed when they are old.

    Ids grow along the chain: seals are made one at a time.
    """

    def last(self) -> Seal | None: ...
    def page(self, after: int, limit: int) -> Sequence[Seal]:
        """In the order of their ids, after this one."""
        ...

    def add(self, seal: Seal, events: Sequence[int]) -> None:
        """Behind the last one, over the events of these ids, which no seal names."""
        ...

    def old(self, before: datetime) -> Seal | None:
        """The first that has its events still, if it was made before that."""
        ...

    def empty(self, seal: Seal) -> int:
        """Remove its events; how many there were."""
        ...
