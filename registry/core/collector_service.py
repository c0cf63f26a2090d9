"""The collector as people see it: how it stands, what it did, and what they tell it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from registry.core.collect import COLLECTOR_WANTED
from registry.core.collect_facts import CollectorRun, Waiting
from registry.core.facts import Action, Caller
from registry.core.ports import Metadata, Transaction
from registry.core.refusals import CollectorPaused, Unfit
from registry.core.sweep import COLLECTOR_PAUSED

_ONE: Final = 1
_LONGEST_ID: Final = 18


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """As of one moment: why it is paused, if it is; candidates, and how many of them are due; what is to be swept.

    `objects.first` is when the first one's bytes go, and `following` when there is something to do next.
    """

    paused: str | None
    is_wanted: bool
    candidates: Waiting
    due: int
    objects: Waiting
    sessions: Waiting
    following: datetime | None
    last: CollectorRun | None

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "paused": self.paused,
            "is_wanted": self.is_wanted,
            "waiting": self.candidates.count,
            "due": self.due,
            "doomed": _document(self.objects),
            "uploads": _document(self.sessions),
            "next": _text(self.following),
            "last": None if self.last is None else document_of(self.last),
        }


def document_of(run: CollectorRun) -> dict[str, Any]:
    """A run, for programs."""
    return {
        "id": run.id,
        "kind": run.kind.value,
        "began": run.began.isoformat(),
        "ended": run.ended.isoformat(),
        "counts": dict(run.counts),
    }


@dataclass(frozen=True, slots=True)
class CollectorService:
    """The rules; `delete_delay` is how long the bytes of what nobody names are kept."""

    metadata: Metadata
    delete_delay: timedelta

    def status(self) -> CollectorStatus:
        """As it is by now."""
        return self.metadata.observe(self._status)

    def _status(self, tx: Transaction) -> CollectorStatus:
        candidates, objects, sessions = tx.outlook.reviews(), tx.outlook.objects(), tx.outlook.sessions()
        if objects.first is not None:
            objects = Waiting(objects.count, objects.bytes, objects.first + self.delete_delay)
        firsts = [each.first for each in (candidates, objects, sessions) if each.first is not None]
        last = tx.collector_runs.page(None, _ONE)
        return CollectorStatus(
            paused=tx.settings.find(COLLECTOR_PAUSED),
            is_wanted=tx.settings.find(COLLECTOR_WANTED) is not None,
            candidates=candidates,
            due=tx.reviews.counts()[1],
            objects=objects,
            sessions=sessions,
            following=min(firsts, default=None),
            last=last[0] if last else None,
        )

    def runs(self, before: int | None, limit: int) -> Sequence[CollectorRun]:
        """Those that did something, or were asked for; the latest first."""
        return self.metadata.observe(lambda tx: tx.collector_runs.page(before, limit))

    def pause(self, reason: str, caller: Caller, fits: Callable[[str | None], None] = lambda _: None) -> str:
        """Nothing goes until it is resumed. `fits` is told why it is paused by now, and raises what it likes.

        Why it is paused from now on: what it was paused for before, and longer for, stays.
        """

        def work(tx: Transaction) -> str:
            paused = tx.settings.find(COLLECTOR_PAUSED)
            fits(paused)
            if paused is not None:
                return paused
            told = f"by {caller.name}, {tx.now:%Y-%m-%d %H:%M}{': ' if reason else ''}{reason}"
            tx.settings.put(COLLECTOR_PAUSED, told)
            tx.journal.note(Action.PAUSE_COLLECTOR, caller, detail=reason)
            return told

        return self.metadata.transact(work)

    def resume(self, caller: Caller, fits: Callable[[str | None], None] = lambda _: None) -> str | None:
        """It goes on from now; why it was paused, if it was."""

        def work(tx: Transaction) -> str | None:
            paused = tx.settings.find(COLLECTOR_PAUSED)
            fits(paused)
            if paused is not None:
                tx.settings.remove(COLLECTOR_PAUSED)
                tx.journal.note(Action.RESUME_COLLECTOR, caller, detail=paused)
            return paused

        return self.metadata.transact(work)

    def ask(self, caller: Caller) -> None:
        """Have whoever does background work make a round soon. Raises: CollectorPaused."""

        def work(tx: Transaction) -> None:
            paused = tx.settings.find(COLLECTOR_PAUSED)
            if paused is not None:
                raise CollectorPaused(reason=paused)
            tx.settings.put(COLLECTOR_WANTED, tx.now.isoformat())
            tx.journal.note(Action.RUN_COLLECTOR, caller)

        self.metadata.transact(work)


def before_mark(mark: str) -> int | None:
    """The id of the run before which a page begins; None for the latest. Raises: Unfit."""
    if not mark:
        return None
    if not (mark.isascii() and mark.isdigit() and len(mark) <= _LONGEST_ID):
        raise Unfit(after=mark[:100], reason="no page of runs ends there")
    return int(mark)


def _document(waiting: Waiting) -> dict[str, Any]:
    return {"count": waiting.count, "bytes": waiting.bytes, "first": _text(waiting.first)}


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
