"""Pulls, written down: many manifests to a transaction, and never so many that a push would wait for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from registry.core.ports import Metadata, Transaction
from registry.core.tag_facts import Pull

COUNTED_SINCE: Final = "pulls_counted_since"
"""The setting that says when pulls began to be counted here: of the time before nobody knows."""
_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class PullService:
    """Told now and then of what was gathered (design 8)."""

    metadata: Metadata

    def note(self, pulls: Iterable[Pull]) -> None:
        """Add them up; of a manifest that is gone by now nothing is known any more."""
        # In one order, as rows are held until the transaction ends.
        left = sorted(pulls, key=lambda each: (each.repository, each.digest.packed))
        while left:
            some, left = left[:_BATCH], left[_BATCH:]
            self.metadata.transact(partial(_note, some))


def _note(some: list[Pull], tx: Transaction) -> None:
    tx.pulls.note(some)


def begin_counting(tx: Transaction) -> None:
    """Remember that pulls are counted from now on, if they were not before."""
    tx.settings.get_or_put(COUNTED_SINCE, tx.now.isoformat())


def counted_since(tx: Transaction) -> datetime:
    """When that began; now, where nobody has begun."""
    since = tx.settings.find(COUNTED_SINCE)
    return tx.now if since is None else datetime.fromisoformat(since)
