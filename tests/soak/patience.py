"""Asking a registry whose workers are killed: again and again, and complaining about all that no kill explains."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import httpx

_PAUSE: Final = 0.1
_PATIENCE: Final = 120.0
_STALE: Final = 1.0
"""Seconds for which connections that a kill has cut may still be found so."""
_MOST_COMPLAINTS: Final = 50


class Lost(Exception):
    """The answer did not come; what was asked may have happened or not."""


class GaveUp(Exception):
    """Nor did it when asked again for two minutes."""


@dataclass(slots=True)
class Outages:
    """When workers were down; whoever kills them tells."""

    _spans: list[tuple[float, float]] = field(default_factory=list)

    def begin(self) -> None:
        """One is about to be killed."""
        self._spans.append((time.monotonic(), float("inf")))

    def end(self) -> None:
        """It is back."""
        began, _ = self._spans[-1]
        self._spans[-1] = (began, time.monotonic() + _STALE)

    def explain(self, sent: float, lost: float) -> bool:
        """Whether one was down at any moment of that span."""
        return any(began <= lost and sent <= ended for began, ended in list(self._spans))

    def __len__(self) -> int:
        return len(self._spans)


@dataclass(slots=True)
class Minutes:
    """What everybody did, and what nobody should have seen. Safe to use from any thread."""

    deeds: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def count(self, deed: str) -> None:
        """One more."""
        with self._lock:
            self.deeds[deed] += 1

    def complain(self, what: str) -> None:
        """The soak has failed; it goes on to see what else it finds."""
        with self._lock:
            self.deeds["complaints"] += 1
            if len(self.complaints) < _MOST_COMPLAINTS:
                self.complaints.append(what)


@dataclass(frozen=True, slots=True)
class Patience:
    """How everybody here asks."""

    outages: Outages
    minutes: Minutes

    def once(self, call: Callable[[], httpx.Response]) -> httpx.Response:
        """The answer, whatever it says, if it is one. Raises: Lost."""
        sent = time.monotonic()
        try:
            answer = call()
        except httpx.TransportError as error:
            if not self.outages.explain(sent, time.monotonic()):
                self.minutes.complain(f"no worker was down: {error!r}")
            raise Lost from error
        if answer.is_server_error:
            self.minutes.complain(_told(answer))
            raise Lost
        return answer

    def ask(self, call: Callable[[], httpx.Response]) -> httpx.Response:
        """The answer to what may be asked twice. Raises: GaveUp."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return self.once(call)
            except Lost as lost:
                if time.monotonic() > until:
                    self.minutes.complain(f"no answer within {_PATIENCE:.0f} s: {lost.__cause__!r}")
                    raise GaveUp from lost
                time.sleep(_PAUSE)

    def expect(self, answer: httpx.Response, *statuses: int) -> bool:
        """Whether it has one of them; any other is complained about."""
        if answer.status_code in statuses:
            return True
        self.minutes.complain(_told(answer))
        return False


def _told(answer: httpx.Response) -> str:
    asked = answer.request
    return f"{asked.method} {asked.url} answered {answer.status_code}: {answer.text[:300]}"
