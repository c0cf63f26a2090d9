"""Pulls, written down: many manifests to a transaction, and never so many that a push would wait for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from registry.core.ports import Metadata, Transaction
from registry.core.tag_facts import Pull

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
