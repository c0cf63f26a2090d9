"""Instants between the rules (aware UTC) and the tables (microseconds since 1970)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

BEFORE_ALL_TIME: Final = 0
"""When what is purged was deleted: no undo window reaches that far back."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_micros(instant: datetime) -> int:
    """Exact, where a float of seconds would not be."""
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The inverse of `to_micros`."""
    return _EPOCH + timedelta(microseconds=micros)
