"""Sweeping: idle upload sessions end, what nobody names any more leaves the disk, and old failed logins are forgotten.

Only keys that a doomed row names are ever deleted, and only after `delete_delay`, so that a download which looked its
object up in time may finish. The row goes last: a sweep that dies half-way is done again.

What is to go is chosen under the lease. So whoever has that next, such as a backup, knows: no object that is live by
then goes before the lease is given back, however late an earlier sweeper wakes up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from registry.core.collect_facts import RunKind
from registry.core.facts import ObjectKey
from registry.core.leaving import Leaving
from registry.core.ports import Metadata, ObjectStore, Transaction
from registry.core.rest import batched, no_rest
from registry.core.tenure import Tenure

D = TypeVar("D")

_BATCH: Final = 500
# A folder of files is synced once for all that go from it at a time: the more go, the less each costs.
_MOST_DELETED: Final = 5000

COLLECTOR_PAUSED: Final = "collector_paused"
"""The setting that, while it is there, keeps every object where it is; its text says why, and since when."""


def is_paused(tx: Transaction) -> bool:
    """Whether nothing may go, asked again before each piece of whatever takes long."""
    return tx.settings.find(COLLECTOR_PAUSED) is not None


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did; `bytes` are those of the objects that went, as far as they were known."""

    sessions: int
    objects: int
    bytes: int = field(default=0, compare=False)


NOTHING: Final = Swept(0, 0)


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Background work of one process at a time; `run` again and again, anywhere. `rest` is called after each batch."""

    metadata: Metadata
    store: ObjectStore
    tenure: Tenure
    delete_delay: timedelta
    rest: Callable[[], None] = no_rest

    def run(self) -> Swept:
        """Everything that is due by now, batch by batch; nothing where another process is at it.

        Raises: TenureLost; Unavailable and OSError, at the end and for what the store does not let go.
        """
        fence = self.tenure.take()
        if fence is None:
            return NOTHING
        began = self.metadata.observe(lambda tx: tx.now)
        sessions = sum(self._until_done(self._expire, fence))
        leaving = Leaving(self.store)
        objects, freed = _summed(self._until_done(partial(self._delete, leaving), fence))
        swept = Swept(sessions, objects, freed)
        for _ in self._until_done(self._forget, fence):
            pass
        if swept != NOTHING:
            self.tenure.transact(fence, lambda tx: tx.collector_runs.add(RunKind.SWEPT, began, asdict(swept)))
        self.tenure.release(fence)
        if leaving.error is not None:
            raise leaving.error
        return swept

    def _until_done(self, batch: Callable[[int], D | None], fence: int) -> Iterator[D]:
        while done := batch(fence):
            yield done
            self.rest()

    def _expire(self, fence: int) -> int:
        def end(tx: Transaction) -> int:
            sessions = tx.uploads.expired(_BATCH)
            for session in sessions:
                tx.uploads.remove(session)
            return len(sessions)

        return self.tenure.transact(fence, end)

    def _delete(self, leaving: Leaving, fence: int) -> tuple[int, int] | None:
        """How many objects, and their bytes; None when none is left that goes."""
        # Elsewhere each costs calls of its own, and the lease is to outlast them all.
        most = _MOST_DELETED if self.store.is_prompt else _BATCH

        def due(tx: Transaction) -> list[tuple[int, ObjectKey]]:
            if is_paused(tx):
                return []
            return list(tx.objects.doomed(tx.now - self.delete_delay, most))

        # Mostly there is nothing, and that can be seen without a transaction.
        doomed = self.tenure.transact(fence, due) if self.metadata.observe(due) else []
        gone = leaving.delete(doomed) if doomed else []
        return (len(gone), sum(self._forgotten(gone, fence))) if gone else None

    def _forgotten(self, object_ids: Sequence[int], fence: int) -> Iterator[int]:
        """The bytes of each lot."""
        for lot in batched(object_ids, _BATCH):
            yield self.tenure.transact(fence, partial(_forget_objects, lot))
            self.rest()

    def _forget(self, fence: int) -> int:
        """Failed logins that count no more."""
        if not self.metadata.observe(lambda tx: tx.throttles.has_past()):
            return 0
        return self.tenure.transact(fence, lambda tx: tx.throttles.forget_past(_BATCH))


def _forget_objects(object_ids: Sequence[int], tx: Transaction) -> int:
    return tx.objects.forget(object_ids)


def _summed(done: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """How many objects, and their bytes."""
    objects = freed = 0
    for count, size in done:
        objects, freed = objects + count, freed + size
    return objects, freed
