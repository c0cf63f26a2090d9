"""Sizes in words, as people read them."""

from __future__ import annotations

from typing import Final

from registry.core.counts import counted

_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024


def in_words(size: int) -> str:
    """`900 bytes`, `1.5 MiB`."""
    amount, unit = float(size), _UNITS[0]
    for unit in _UNITS:
        if amount < _STEP or unit == _UNITS[-1]:
            break
        amount /= _STEP
    return counted(size, "byte") if unit == _UNITS[0] else f"{amount:.1f} {unit}"
