"""Work that nobody waits for: rounds of it with a pause between, beside serving or in a process of its own.

Every process refreshes what it keeps in memory; the work that one process in the world does at a time finds out by a
lease whose turn it is, so any number of processes may run this.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import structlog

from registry.core.collect import Collector
from registry.core.ends import EndsWatch
from registry.core.retention_run import Retainer
from registry.core.sealing import Sealer
from registry.core.sweep import NOTHING, Sweeper
from registry.core.tenure import TenureLost
from registry.oci.errors import StorageFull

_log = structlog.get_logger()

# In seconds. Whoever asks for a round waits no longer than a nap.
_LONGEST_REST = 0.05
_LONGEST_NAP = 2.0

InThread = Callable[[Callable[[], object]], Awaitable[object]]


class EvenRest:
    """Gives way to who serves: after a piece of work, as long a rest as that took."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def __call__(self) -> None:
        """Called after each piece; the first began whenever it did."""
        time.sleep(min(time.monotonic() - self._since, _LONGEST_REST))
        self._since = time.monotonic()


class Daily(Protocol):
    """What is done once a day."""

    def run(self) -> Path | None:
        """The file that was made, if it was time. Raises: StorageFull."""
        ...


@dataclass(frozen=True, slots=True)
class Background:
    """`refreshing` is every process's own; the others are None where a process does nothing for all."""

    refreshing: Sequence[Callable[[], object]]
    sweeper: Sweeper | None
    pause: timedelta
    backup: Daily | None = None
    ends: EndsWatch | None = None
    sealer: Sealer | None = None
    collector: Collector | None = None
    retainer: Retainer | None = None
    beside: AbstractContextManager[object] = field(default_factory=nullcontext)
    """What has a thread of its own, for as long as rounds are run."""

    async def run(self, in_thread: InThread) -> None:
        """Round after round, until cancelled."""
        with self.beside:
            while True:
                for nap in self._naps():
                    await asyncio.sleep(nap)
                    if await in_thread(self.is_wanted):
                        break
                await in_thread(self.once)

    def work(self, stop: threading.Event) -> None:
        """The same for a process that does nothing else."""
        with self.beside:
            while not self._waits(stop):
                self.once()

    def is_wanted(self) -> bool:
        """Whether somebody asks for a round before it is time; what fails is told by the round."""
        with suppress(Exception):
            return self.collector is not None and self.collector.is_wanted()
        return False

    def _waits(self, stop: threading.Event) -> bool:
        """Until it is time for a round, or to stop; whether it is the latter."""
        for nap in self._naps():
            if stop.wait(nap):
                return True
            if self.is_wanted():
                break
        return stop.is_set()

    def _naps(self) -> Iterator[float]:
        """Seconds to sleep, one after the other, until the pause is over."""
        ends = time.monotonic() + self.pause.total_seconds()
        while (left := ends - time.monotonic()) > 0:
            yield min(left, _LONGEST_NAP)

    def once(self) -> None:
        """A round; what fails is told, and tried again with the next."""
        for work in (*self.refreshing, self.retain, self.collect, self.sweep, self.seal, self.back_up, self.warn):
            try:
                work()
            except Exception:
                _log.exception("background work failed")

    def retain(self) -> None:
        """End tags that the rules keep no longer, where that is due."""
        if self.retainer is None:
            return
        try:
            retained = self.retainer.run()
        except TenureLost:
            _log.warning("retention was too slow and is somebody else's now")
            return
        if retained.tags or retained.manifests:
            _log.info("ended by rules of retention", tags=retained.tags, manifests=retained.manifests)

    def collect(self) -> None:
        """Give back what nothing holds any more: one round, of which several processes may be in the middle."""
        if self.collector is None:
            return
        collected = self.collector.run()
        if collected.has_taken:
            taken = ("manifests", "links", "blobs", "repositories")
            _log.info("collected", **{name: getattr(collected, name) for name in taken})
        if collected.refused:
            _log.error("the database keeps what nothing holds", candidates=collected.refused)

    def sweep(self) -> None:
        """One round of what is done for all, and a line about it when there was something to do."""
        if self.sweeper is None:
            return
        try:
            swept = self.sweeper.run()
        except TenureLost:
            # It took longer than its lease: another process goes on with it.
            _log.warning("the sweep was too slow and is somebody else's now")
            return
        if swept != NOTHING:
            _log.info("swept", sessions=swept.sessions, objects=swept.objects)

    def seal(self) -> None:
        """Chain what happened, and forget what is old; one round."""
        if self.sealer is None:
            return
        try:
            sealed = self.sealer.run()
        except TenureLost:
            _log.warning("the sealing was too slow and is somebody else's now")
            return
        if sealed.removed:
            _log.info("removed old events", events=sealed.removed)

    def back_up(self) -> None:
        """The facts, once a day, where nobody else does it by then."""
        if self.backup is None:
            return
        try:
            made = self.backup.run()
        except StorageFull:
            _log.error("no room for the daily backup of the database")
            return
        if made is not None:
            _log.info("backed up the database", file=str(made))

    def warn(self) -> None:
        """A line for each robot that will expire soon."""
        for robot in self.ends.run() if self.ends is not None else ():
            _log.warning("a robot will expire soon", robot=robot.name, expires=str(robot.expires))
