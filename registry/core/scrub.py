"""Scrubbing: what lies in SQL and in the store is read, compared with its name, and not served where that differs.

    what is marked damaged   once a day: a disk that came back serves again
    bytes in SQL             once in `every`, in one walk through all of them
    objects                  once in `every`, those first that were verified the longest ago; a push verifies too

    right ──▶ verified; served again, where it was marked
    wrong ──▶ a second look, at the medium and not at what memory has of it ──▶ wrong again: marked, if the blob still
              has this object, which then stays where it is until a push puts another in its place
    unreadable ──▶ doubted, and tried again in later passes ──▶ too often, and for too long: wrong

A pass rests so long after each piece that it keeps its rate, and may be stopped, or killed, in the middle of any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from registry.core.facts import Caller, ObjectKey
from registry.core.fsck import Finding, What, judge_bytes, judge_content
from registry.core.fsck_bytes import Begun, Source, judge_read
from registry.core.fsck_facts import ContentRow, ObjectRow
from registry.core.fsck_places import place
from registry.core.pace import Pace
from registry.core.ports import Hash, Hashes, Metadata, Transaction, Unreadable
from registry.core.scrub_facts import LAST, PROGRESS, WALK, Due, Progress, Walk
from registry.core.scrub_ledger import Ledger
from registry.core.scrub_remedies import Nurse, Row
from registry.core.scrub_report import LastPass, Scrubbed
from registry.core.tenure import Fenced, Tenure
from registry.core.watching import Unwatched, Watcher
from registry.oci.errors import Unavailable

_ROWS: Final = 100
# Each may have 4 MiB.
_CONTENTS: Final = 16
_MOST_FAILURES: Final = 5
"""Objects in a row that could not be asked for: then it is the store."""
_DAMAGED_EVERY: Final = timedelta(days=1)


class Medium(Source, Protocol):
    """A store that is read from end to end, and remembers nothing of that. Raises: Unreadable, from what it reads."""

    def forget(self, key: ObjectKey) -> None:
        """Read this object from the medium next time, whatever memory has of it."""
        ...


class Time(Protocol):
    """What a pass is told of time."""

    def now(self) -> float:
        """In seconds, from anywhere; never back."""
        ...

    def rest(self, seconds: float) -> bool:
        """Let these pass; whether there is to be an end, and at once."""
        ...


class Stopped(Exception):
    """There is to be an end: what was begun is gone on with by the next pass."""


@dataclass(frozen=True, slots=True)
class Scrubber:
    """The rules; `every` is how long a verified object is left alone, `rate` in bytes a second."""

    metadata: Metadata
    medium: Medium
    hashes: Hashes
    time: Time
    by: Caller
    every: timedelta
    rate: int
    progress: str = PROGRESS

    def is_anything_due(self) -> bool:
        """Seen without any transaction."""
        limits = self._limits()

        def look(tx: Transaction) -> bool:
            walk = tx.settings.find(WALK)
            return bool(
                walk is None
                or Walk.parse(walk).is_due(limits.whole)
                or tx.scrubbing.due(limits.whole, None, 1, damaged=False)
                or tx.scrubbing.due(limits.damaged, None, 1, damaged=True)
            )

        return self.metadata.observe(look)

    def run(self, watcher: Watcher, *, everything: bool = False) -> Scrubbed:
        """What is due by now, or everything there is. Raises: Unavailable, OSError, TenureLost."""
        limits = self._limits()
        if everything:
            limits = replace(limits, whole=limits.now, damaged=limits.now)
        scrubbed = _Pass(self, limits, watcher).run()
        if scrubbed.has_looked:
            self.metadata.transact(lambda tx: tx.settings.put(LAST, str(LastPass.of(scrubbed, limits.now, tx.now))))
        return scrubbed

    def _limits(self) -> Limits:
        now = self.metadata.observe(lambda tx: tx.now)
        return Limits(now, now - self.every, now - min(self.every, _DAMAGED_EVERY))


@dataclass(frozen=True, slots=True)
class LeasedScrubber:
    """Background work of one process at a time; `run` again and again, anywhere."""

    scrubber: Scrubber
    tenure: Tenure

    def run(self) -> Scrubbed | None:
        """What is due by now; None where nothing is, or another process is at it. Raises: as `Scrubber.run`."""
        fence = self.tenure.take() if self.scrubber.is_anything_due() else None
        if fence is None:
            return None
        scrubbed = replace(self.scrubber, metadata=Fenced(self.tenure, fence)).run(Unwatched())
        self.tenure.release(fence)
        return scrubbed


@dataclass(frozen=True, slots=True)
class Limits:
    """Due is what was looked at by then: what is served, and what is marked damaged."""

    now: datetime
    whole: datetime
    damaged: datetime


class _Pass:
    def __init__(self, scrubber: Scrubber, limits: Limits, watcher: Watcher) -> None:
        self._scrubber = scrubber
        self._metadata = scrubber.metadata
        self._medium = scrubber.medium
        self._time = scrubber.time
        self._limits = limits
        self._watcher = watcher
        self._ledger = Ledger(scrubber.metadata, scrubber.time.now, scrubber.progress)
        self._nurse = Nurse(scrubber.metadata, scrubber.by)
        self._pace = Pace(scrubber.rate)
        self._failures = 0
        self._unread = set[ObjectKey]()
        self._scrubbed = Scrubbed()

    def run(self) -> Scrubbed:
        try:
            self._contents()
            self._watcher.begins(
                "bytes of objects", self._metadata.observe(lambda tx: tx.scrubbing.bytes_due(self._limits.whole))
            )
            for row in self._objects():
                self._object(row)
            self._ledger.doubts.keep(self._unread)
            self._scrubbed.is_whole = True
        except Stopped:
            pass
        self._ledger.flush()
        return self._scrubbed

    # What lies in SQL

    def _contents(self) -> None:
        former = self._ledger.walk
        if former is not None and not former.is_due(self._limits.whole):
            return
        walk = Walk.after_former(former, self._limits.now)
        while page := self._contents_after(walk.after):
            for row in page:
                self._content(row)
            walk = walk.at(page[-1].id)
            self._ledger.walks(walk)
            if self._time.rest(self._spent(sum(len(row.content) for row in page))):
                raise Stopped
        self._ledger.walks(walk.over(self._metadata.observe(lambda tx: tx.now)))

    def _contents_after(self, after: int) -> Sequence[ContentRow]:
        return self._metadata.observe(lambda tx: tx.inventory.contents(after, _CONTENTS))

    def _content(self, row: ContentRow) -> None:
        self._scrubbed.report.looked.contents += 1
        finding = judge_content(row)
        if finding is not None:
            self._settle(finding, row)

    # What lies in the store

    def _objects(self) -> Iterator[ObjectRow]:
        """Those marked damaged first: they are missed."""
        for until, damaged in ((self._limits.damaged, True), (self._limits.whole, False)):
            last: Due | None = None
            while page := self._due(until, last, damaged=damaged):
                yield from (each.row for each in page)
                last = page[-1]

    def _due(self, until: datetime, last: Due | None, *, damaged: bool) -> Sequence[Due]:
        return self._metadata.observe(lambda tx: tx.scrubbing.due(until, last, _ROWS, damaged=damaged))

    def _object(self, row: ObjectRow) -> None:
        try:
            finding = self._judged(row)
        except Unreadable:
            finding = self._doubted(row)
            if finding is None:
                return
        except (Unavailable, OSError):
            # It is tried again by the next pass; and so is everything, where it is the store.
            self._leave(row)
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                self._ledger.flush()
                raise
            return
        self._failures = 0
        self._scrubbed.report.looked.objects += 1
        if finding is not None:
            self._settle(finding, row)
        elif row.is_damaged:
            self._settle(Finding(What.BLOB_DAMAGED, str(row.digest), f"the bytes of {row.key} are right", row), row)
        self._ledger.looked(row)

    def _doubted(self, row: ObjectRow) -> Finding | None:
        """What is wrong with it, when it was unreadable for long enough, or is marked anyhow."""
        now = self._metadata.observe(lambda tx: tx.now)
        if row.is_damaged or self._ledger.doubts.deepen(row.key, now).is_sure(now):
            return Finding(What.OBJECT_UNREADABLE, str(row.digest), f"{row.key} cannot be read", row)
        self._leave(row)
        return None

    def _leave(self, row: ObjectRow) -> None:
        """For a later pass."""
        self._unread.add(row.key)
        self._scrubbed.unread += 1

    def _judged(self, row: ObjectRow) -> Finding | None:
        """What is wrong with it, at the second look as at the first."""
        begun = self._ledger.begun(row.key)
        is_again = begun is not None and begun.is_again
        finding = self._look(row, begun, is_again=is_again)
        if finding is None or is_again or row.is_damaged:
            return finding
        self._medium.forget(row.key)
        return self._look(row, None, is_again=True)

    def _look(self, row: ObjectRow, begun: Progress | None, *, is_again: bool) -> Finding | None:
        # What is lost need not be opened each day to see that it still is.
        lost = judge_bytes(row, self._medium.size(row.key)) if row.is_damaged else None
        if lost is not None:
            return lost
        taken_up = self._taken_up(begun)
        tell = self._telling(row.key, taken_up[0] if taken_up else 0, is_again=is_again)
        return judge_read(self._medium, self._scrubber.hashes, row, begun=taken_up, tell=tell)

    def _taken_up(self, begun: Progress | None) -> Begun | None:
        known = self._scrubber.hashes.load(begun.hash) if begun is not None else None
        return (begun.offset, known) if begun is not None and known is not None else None

    def _telling(self, key: ObjectKey, start: int, *, is_again: bool) -> Callable[[int, Hash], None]:
        at = start
        self._watcher.advances(start)

        def tell(size: int, known: Hash) -> None:
            nonlocal at
            rest, at = self._spent(size - at), size
            if self._ledger.is_due:
                self._ledger.reads(Progress(key, size, known.save(), is_again))
            if self._time.rest(rest):
                self._ledger.reads(Progress(key, size, known.save(), is_again))
                raise Stopped

        return tell

    # Both

    def _spent(self, count: int) -> float:
        """So many bytes were read; for how long to rest."""
        self._scrubbed.report.looked.bytes += count
        self._watcher.advances(count)
        return self._pace.spend(count, self._time.now())

    def _settle(self, finding: Finding, row: Row) -> None:
        outcome, report = self._nurse.treat(finding, row), self._scrubbed.report
        if outcome is not None:
            report.finds(place(self._metadata, finding) if report.tells(finding.what) else finding, outcome)
