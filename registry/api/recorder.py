"""The witness of one worker: gathers on the event loop, and has it written off every request's path."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from registry.api.services import Writer
from registry.core.facts import Action, Caller, Outcome
from registry.core.ports import Transaction
from registry.core.witness import Seen, Sight, Sights

PAUSE: Final = 1.0
"""Seconds between the first that is told and the transaction that writes it, with all that came by then."""
_log = structlog.get_logger()


class Recorder:
    """`core.witness.Witness`; one transaction at a time, whatever is told meanwhile. Close it."""

    def __init__(self, writer: Writer, nobody: Caller, pause: float = PAUSE) -> None:
        """`nobody` is who stands for callers without a name."""
        self._writer = writer
        self._nobody = nobody
        self._pause = pause
        self._sights = Sights()
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None

    def tell(
        self,
        action: Action,
        by: Caller,
        outcome: Outcome,
        *,
        repository: str = "",
        reference: str = "",
        target: str = "",
        detail: str = "",
    ) -> None:
        """Remember it, and see that it is written soon."""
        who = Caller(by.principal, by.name, credential=by.credential, address=by.address)
        self._sights.add(Sight(action, outcome, who, repository, reference, target, detail), time.monotonic())
        self._soon()

    async def close(self) -> None:
        """What is left is written; told to nobody if that fails, because nobody is left to try again."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            await asyncio.wait([self._writing])
        taken, untold = self._sights.take()
        if taken:
            try:
                await asyncio.wrap_future(self._submit(taken, untold))
            except Exception:
                _log.exception("events could not be written", events=len(taken))

    def _soon(self) -> None:
        if self._timer is None and self._writing is None:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._write)

    def _write(self) -> None:
        self._timer = None
        taken, untold = self._sights.take()
        if taken:
            self._writing = asyncio.wrap_future(self._submit(taken, untold))
            self._writing.add_done_callback(partial(self._written, taken, untold))

    def _submit(self, taken: Sequence[Seen], untold: int) -> Future[None]:
        return self._writer.submit(record(taken, untold, self._nobody, time.monotonic()))

    def _written(self, taken: Sequence[Seen], untold: int, written: asyncio.Future[None]) -> None:
        self._writing = None
        if not written.cancelled() and (error := written.exception()) is not None:
            _log.warning("events could not be written, and wait", events=len(taken), reason=str(error))
            self._sights.give_back(taken, untold)
            self._soon()


def record(taken: Sequence[Seen], untold: int, nobody: Caller, now: float) -> Callable[[Transaction], None]:
    """The transaction that writes them, each at the instant when it was first seen."""

    def write(tx: Transaction) -> None:
        for seen in taken:
            tx.journal.tell(seen.sight, timedelta(seconds=max(now - seen.first, 0)), seen.times)
        if untold:
            tx.journal.note(Action.LOSE_EVENTS, nobody, outcome=Outcome.FAILED, detail=f"{untold} more were not told")

    return write
