"""Work in the background is done piece by piece, and gives way between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def no_rest() -> None:
    """For who has nobody to give way to."""


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """In their order, `size` at a time."""
    return (items[begin : begin + size] for begin in range(0, len(items), size))
