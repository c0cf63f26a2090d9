"""What a transaction can be asked and told by whoever reads everything again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from registry.core.facts import ContentKind
from registry.core.fsck_facts import ObjectRow
from registry.core.scrub_facts import Due, Sums
from registry.oci.digest import Digest


class Scrubbing(Protocol):
    """Blobs by when their objects were last read, and what is marked damaged."""

    def due(self, until: datetime, last: Due | None, limit: int, *, damaged: bool) -> Sequence[Due]:
        """Those last read by `until`, after `last`, the longest ago first: whole ones, or those marked damaged."""
        ...

    def bytes_due(self, until: datetime) -> int:
        """Of all whole ones of these together."""
        ...

    def looked(self, rows: Iterable[ObjectRow]) -> None:
        """The objects of these blobs were read just now; those that have others by now are left alone."""
        ...

    def sums(self, since: datetime, walked: int) -> Sums:
        """Verified is what was read after `since`; walked are contents up to this id."""
        ...

    def damaged(self, kind: ContentKind, after: Digest | None, limit: int) -> Sequence[tuple[Digest, int, datetime]]:
        """Digest, size and since when, by digest."""
        ...
