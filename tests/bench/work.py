"""What a case is made of: something a registry is asked to do, prepared once for each and then run by turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tests.bench.load import Sample
from tests.bench.material import Material
from tests.bench.target import Target

MIB = 1 << 20
REPOSITORY = "bench/blobs"


def nothing() -> None:
    """Nothing needs tidying."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Only waits to be run, for so many seconds where it does not end by itself; `tidy` follows each run, untimed."""

    run: Callable[[int], Sample]
    tidy: Callable[[], None] = nothing
    notes: tuple[str, ...] = ()


class Work(Protocol):
    """One thing a registry is asked to do; `unit` is what its rate counts."""

    @property
    def unit(self) -> str: ...

    def prepare(self, target: Target, material: Material) -> Prepared:
        """Push what it needs and check an answer down to its bytes. Raises: WrongAnswer."""
        ...
