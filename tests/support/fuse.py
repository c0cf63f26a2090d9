"""A power cut at any step: everything that reaches for the database or the store may be the last thing done.

    fuse.left = 7               the seventh step from here is not taken any more, nor is any after it
    Fused(metadata, fuse)       each transaction's beginning, each of its statements, and its answer are steps
    FusedStore(store, fuse)     each call is one before it takes place, and one after

What raises is no `Exception`: whoever tidies up after errors does not do so after this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from registry.metadata.nouns import SqlTransaction
from tests.support.clock import SqlMetadata

T = TypeVar("T")


class PowerCut(BaseException):
    """From now on nothing happens."""


@dataclass
class Fuse:
    """How many more steps there are; None for as many as one likes."""

    left: int | None = None

    def burn(self) -> None:
        """One step. Raises: PowerCut."""
        if self.left is None:
            return
        if self.left == 0:
            raise PowerCut
        self.left -= 1


class Fused:
    """`Metadata` that can be cut off."""

    def __init__(self, metadata: SqlMetadata, fuse: Fuse) -> None:
        self._metadata = metadata
        self._fuse = fuse

    def transact(self, work: Callable[[SqlTransaction], T]) -> T:
        return self._answered(self._metadata.transact, work)

    def observe(self, work: Callable[[SqlTransaction], T]) -> T:
        return self._answered(self._metadata.observe, work)

    def _answered(self, ask: Callable[[Callable[[SqlTransaction], T]], T], work: Callable[[SqlTransaction], T]) -> T:
        def stepped(tx: SqlTransaction) -> T:
            with self._statement_by_statement(tx):
                return work(tx)

        self._fuse.burn()
        result = ask(stepped)
        # It has taken place, and nobody was told.
        self._fuse.burn()
        return result

    @contextmanager
    def _statement_by_statement(self, tx: SqlTransaction) -> Iterator[None]:
        moment = tx._moment
        run, run_many = moment.run, moment.run_many
        moment.run, moment.run_many = _burning(self._fuse, run), _burning(self._fuse, run_many)
        try:
            yield
        finally:
            moment.run, moment.run_many = run, run_many


class FusedStore:
    """An `ObjectStore` that can be cut off, and its receivers."""

    def __init__(self, store: Any, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found) or name == "__exit__":
            return found

        def answered(*arguments: Any) -> Any:
            self._fuse.burn()
            result = found(*arguments)
            self._fuse.burn()
            return FusedStore(result, self._fuse) if name == "receive" and result is not None else result

        return answered


def _burning(fuse: Fuse, run: Callable[..., T]) -> Callable[..., T]:
    @wraps(run)
    def burnt(*arguments: Any, **values: Any) -> T:
        fuse.burn()
        return run(*arguments, **values)

    return burnt
