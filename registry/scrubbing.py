"""The thread that reads everything again: beside all other background work, which its rests would hold up."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final, Protocol, Self

import structlog

from registry.core.scrub_report import Scrubbed
from registry.core.tenure import TenureLost

_log = structlog.get_logger()

_LEAVES_WITHIN: Final = 5.0
"""Seconds that a stop waits for a piece under way; a store that hangs is left hanging."""


class Rests:
    """`Time` by this machine's clock, until somebody wants an end."""

    def __init__(self) -> None:
        self._end = threading.Event()

    def now(self) -> float:
        """In seconds, from anywhere."""
        return time.monotonic()

    def rest(self, seconds: float) -> bool:
        """Let these pass; whether there is to be an end."""
        return self._end.wait(seconds)

    def end(self) -> None:
        """Whoever rests wakes up."""
        self._end.set()


class Scrubs(Protocol):
    """`LeasedScrubber`, by the rests that the thread ends."""

    def run(self) -> Scrubbed | None:
        """What is due by now."""
        ...


class ScrubThread:
    """At work from `with` to its end; `pause` is in seconds, between two looks whether anything is due."""

    def __init__(self, scrubber: Scrubs, rests: Rests, pause: float) -> None:
        self._scrubber = scrubber
        self._rests = rests
        self._pause = pause
        # A daemon: a process may end while a store hangs.
        self._thread = threading.Thread(target=self._run, name="scrub", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rests.end()
        self._thread.join(_LEAVES_WITHIN)

    def _run(self) -> None:
        while not self._rests.rest(self._pause):
            self.once()

    def once(self) -> None:
        """A pass, if one is due; what fails is told, and tried again."""
        try:
            scrubbed = self._scrubber.run()
        except TenureLost:
            _log.warning("the scrubbing was too slow and is somebody else's now")
        except Exception:
            _log.exception("scrubbing failed")
        else:
            if scrubbed is not None:
                _tell(scrubbed)


def _tell(scrubbed: Scrubbed) -> None:
    for finding, outcome in scrubbed.report.found:
        _log.warning(
            "scrubbing found something wrong",
            what=finding.what.value,
            name=finding.name,
            reason=finding.reason,
            outcome=outcome.value,
            repositories=finding.places.repositories,
            tags=finding.places.tags,
        )
    looked = scrubbed.report.looked
    if scrubbed.has_looked:
        _log.info(
            "scrubbed", objects=looked.objects, contents=looked.contents, bytes=looked.bytes, unread=scrubbed.unread
        )
