"""Time that passes when a test says so: the same database, whose clock is ahead of what it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol, TypeVar

from registry.metadata.instants import to_micros
from registry.metadata.nouns import SqlTransaction

T = TypeVar("T")


class SqlMetadata(Protocol):
    """`Metadata` on either database."""

    def transact(self, work: Callable[[SqlTransaction], T]) -> T: ...
    def observe(self, work: Callable[[SqlTransaction], T]) -> T: ...


class Ahead:
    """`Metadata` as it will be in a while."""

    def __init__(self, metadata: SqlMetadata, ahead: timedelta = timedelta(0)) -> None:
        self._metadata = metadata
        self.ahead = ahead

    def transact(self, work: Callable[[SqlTransaction], T]) -> T:
        return self._metadata.transact(lambda tx: work(self._later(tx)))

    def observe(self, work: Callable[[SqlTransaction], T]) -> T:
        return self._metadata.observe(lambda tx: work(self._later(tx)))

    def _later(self, tx: SqlTransaction) -> SqlTransaction:
        tx.begin(to_micros(tx.now + self.ahead))
        return tx
