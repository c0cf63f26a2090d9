"""What a registry promises who is about to push a manifest: each part that it said is there stays for its lease."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.soak.ledger import Ledger, Look

MARGIN: Final = 0.1
"""Seconds that two clocks may differ by over a lease."""


@dataclass(frozen=True, slots=True)
class Promise:
    """It holds before `until`, of the monotonic clock, unless somebody deletes the part by its name."""

    look: Look
    until: float

    @classmethod
    def leased(cls, look: Look, asked: float, lease: float) -> Promise:
        """By a lease that began when the answer was made, thus not before it was asked for."""
        return cls(look, asked + lease - MARGIN)

    @classmethod
    def renewed(cls, look: Look, asked: float, lease: float) -> Promise:
        """By an answer that it exists: half a lease is left, or it was renewed."""
        return cls.leased(look, asked, lease / 2)

    @classmethod
    def of_manifest(cls, look: Look) -> Promise:
        """A child that is there needs no lease."""
        return cls(look, math.inf)

    def binds(self, ledger: Ledger, answered: float) -> bool:
        """Whether the part must have been there for an answer that came then."""
        return answered < self.until and ledger.stands(self.look)


def broken(ledger: Ledger, promises: Mapping[str, Promise], missing: Iterable[str], answered: float) -> list[str]:
    """Those of the parts said to be missing that had to be there; one that nobody promised is none of them."""
    return [each for each in missing if each in promises and promises[each].binds(ledger, answered)]
