"""The thread that scrubs: beside the rounds of background work, through failures, and gone when it is to be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from structlog.testing import capture_logs

from registry.background import Background
from registry.core.fsck import Finding, Outcome, What
from registry.core.fsck_facts import ObjectRow, ObjectState
from registry.core.scrub_report import Scrubbed
from registry.core.tenure import TenureLost
from registry.oci.digest import Digest
from registry.scrubbing import Rests, ScrubThread
from registry.storage.layout import new_key

LONG = 3600.0


class Sleeper:
    """A scrubber that rests in the middle of something large."""

    def __init__(self, rests: Rests) -> None:
        self.rests = rests
        self.begun, self.ended = threading.Event(), threading.Event()

    def run(self) -> Scrubbed | None:
        self.begun.set()
        if self.rests.rest(LONG):
            self.ended.set()
        return None


def scrubbing() -> set[threading.Thread]:
    """Such threads, those of other tests' registries among them."""
    return {thread for thread in threading.enumerate() if thread.name == "scrub"}


def test_a_rest_ends_when_the_process_is_to_stop() -> None:
    rests, others = Rests(), scrubbing()
    sleeper = Sleeper(rests)
    with ScrubThread(sleeper, rests, 0.0):
        assert sleeper.begun.wait(30)
    assert sleeper.ended.is_set()
    assert scrubbing() <= others


def test_the_pause_between_two_passes_ends_so_too() -> None:
    rests, others = Rests(), scrubbing()
    sleeper = Sleeper(rests)
    with ScrubThread(sleeper, rests, LONG):
        pass
    assert not sleeper.begun.is_set()
    assert scrubbing() <= others


def test_it_is_at_work_while_rounds_are_run_and_holds_none_of_them_up() -> None:
    rests = Rests()
    sleeper = Sleeper(rests)
    rounds = list[int]()

    async def work() -> None:
        enough = asyncio.Event()

        def count() -> None:
            rounds.append(1)
            if len(rounds) > 2 and sleeper.begun.is_set():
                enough.set()

        async def here(once: Callable[[], object]) -> object:
            # As a thread does, it lets the loop go on.
            await asyncio.sleep(0)
            return once()

        thread = ScrubThread(sleeper, rests, 0.0)
        background = Background((count,), None, timedelta(milliseconds=1), beside=thread)
        running = asyncio.create_task(_as_coroutine(background.run(here)))
        await asyncio.wait_for(enough.wait(), 30)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    asyncio.run(work())
    assert sleeper.ended.is_set()


async def _as_coroutine(awaited: Awaitable[None]) -> None:
    await awaited


class Failing:
    """A scrubber that does as it is told, one word after the other."""

    def __init__(self, *outcomes: Exception | Scrubbed | None) -> None:
        self.outcomes = list(outcomes)

    def run(self) -> Scrubbed | None:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def told(*outcomes: Exception | Scrubbed | None) -> list[str]:
    thread = ScrubThread(Failing(*outcomes), Rests(), 0.0)
    with capture_logs() as lines:
        for _ in outcomes:
            thread.once()
    return [line["event"] for line in lines]


def test_what_fails_is_told_and_tried_again() -> None:
    assert told(OSError("away"), TenureLost("scrub"), None) == [
        "scrubbing failed",
        "the scrubbing was too slow and is somebody else's now",
    ]


def test_what_is_found_is_told_with_whom_it_hits() -> None:
    digest = Digest.of(b"")
    row = ObjectRow(1, new_key(), ObjectState.LIVE, digest)
    scrubbed = Scrubbed()
    scrubbed.report.finds(Finding(What.OBJECT_BYTES, str(digest), "other bytes", row), Outcome.MARKED)
    scrubbed.report.looked.objects = 1
    assert told(scrubbed) == ["scrubbing found something wrong", "scrubbed"]
    assert told(Scrubbed()) == []
