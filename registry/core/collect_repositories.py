"""The collector of repositories: what is left of those that were deleted, and those that nothing was ever pushed to.

    deleted, restorable still   stays as it is
    deleted, its window over    manifests and their tags ─▶ what the tags were ─▶ links, when their leases end ─▶ row
    never pushed to, and empty  its row goes, when it is a day old

Each arrow may take many transactions and several rounds: a piece of bounded size at a time, the repository held
meanwhile. What the manifests held is reviewed, and goes by the same rules as anywhere (`core/collect`), so usage is
given back piece by piece, and a process that is killed leaves the rest to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from registry.core.nouns.deletion import Mark
from registry.core.ports import Contradicted, Metadata, Transaction
from registry.core.sweep import is_paused

UNUSED_FOR: Final = timedelta(days=1)
"""How old a repository is, to which nothing was ever pushed, before it goes."""
_BEFORE_ALL: Final[Mark] = datetime(1970, 1, 1, tzinfo=UTC), -1
_BATCH: Final = 500
# A manifest takes ten statements, and while a piece is taken nobody else writes to SQLite.
_MANIFESTS: Final = 50


@dataclass(slots=True)
class Dissolved:
    """Counts of one round; `refused` are repositories that the database would not let go, whoever points to them."""

    manifests: int = 0
    repositories: int = 0
    refused: int = 0


Piece = Callable[[Transaction], Dissolved | None]
"""A transaction that takes a piece; None when there is none to be taken by now."""


@dataclass(frozen=True, slots=True)
class RepositoryCollector:
    """The rules; `run` again and again, in any number of processes. `rest` is called after each transaction."""

    metadata: Metadata
    undo_window: timedelta
    rest: Callable[[], None]

    def run(self) -> Dissolved:
        """Whatever can go by now, of all that are due."""
        dissolved = Dissolved()
        for repository in self._all(lambda last, tx: tx.dissolution.due(tx.now - self.undo_window, last, _BATCH)):
            self._take_all(self._taking(repository), dissolved)
        for repository in self._all(lambda last, tx: tx.dissolution.unused(tx.now - UNUSED_FOR, last, _BATCH)):
            self._take_all(_removing(repository), dissolved)
        return dissolved

    def _take_all(self, take: Piece, dissolved: Dissolved) -> None:
        """Piece by piece, while there is one; where the database refuses, the other repositories go all the same."""
        try:
            while taken := self._transact(take):
                dissolved.manifests += taken.manifests
                dissolved.repositories += taken.repositories
        except Contradicted:
            dissolved.refused += 1

    def _transact(self, take: Piece) -> Dissolved | None:
        try:
            return self.metadata.transact(take)
        finally:
            self.rest()

    def _all(self, page: Callable[[Mark, Transaction], Sequence[Mark]]) -> Iterator[int]:
        last = _BEFORE_ALL
        while lot := self.metadata.observe(partial(page, last)):
            yield from (repository for _, repository in lot)
            last = lot[-1]

    def _taking(self, repository: int) -> Piece:
        def take(tx: Transaction) -> Dissolved | None:
            # From its first piece on nothing restores it, so none ever comes back in part.
            if is_paused(tx) or not tx.dissolution.take(repository, tx.now - self.undo_window):
                return None
            if manifests := tx.dissolution.remove_manifests(repository, _MANIFESTS):
                return Dissolved(manifests)
            if tx.dissolution.forget_history(repository, _BATCH):
                return Dissolved()
            return Dissolved(repositories=1) if tx.dissolution.remove(repository) else None

        return take


def _removing(repository: int) -> Piece:
    def remove(tx: Transaction) -> Dissolved | None:
        is_gone = tx.dissolution.hold_unused(repository) and tx.dissolution.remove(repository)
        return Dissolved(repositories=1) if is_gone else None

    return remove
