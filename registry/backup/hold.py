"""The sweeper's lease in the hands of a backup, for as long as that takes: meanwhile no object leaves the store.

take ──▶ renewed by a thread of its own ──▶ confirm: nobody else has had it ──▶ release
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from registry.core.ports import Transaction
from registry.core.tenure import Tenure, TenureLost
from registry.oci.errors import RegistryError

_PAUSE: Final = 0.5
"""Seconds between two questions whether the lease is free."""
_RENEWALS: Final = 5
"""In a span of the lease: a database that is away for a moment loses none."""


class Hold:
    """The lease, taken."""

    def __init__(self, tenure: Tenure, fence: int) -> None:
        self._tenure = tenure
        self._fence = fence
        self._is_lost = False

    def check(self) -> None:
        """As far as is known by now. Raises: TenureLost."""
        if self._is_lost:
            raise TenureLost(self._tenure.name)

    def confirm(self) -> None:
        """Nobody else has had the lease since it was taken. Raises: TenureLost, Unavailable."""
        self._tenure.transact(self._fence, _nothing)

    def keep(self, stop: threading.Event) -> None:
        """Put off its end, again and again."""
        while not stop.wait(self._tenure.span.total_seconds() / _RENEWALS):
            try:
                self.confirm()
            except TenureLost:
                self._is_lost = True
                return
            except RegistryError:
                # The lease outlasts this, or somebody takes it and it is lost.
                continue
            except BaseException:
                # Nobody puts off its end any more, and whoever holds it is better told now than when all is done.
                self._is_lost = True
                raise


@contextmanager
def held(tenure: Tenure, waits: Callable[[], None]) -> Iterator[Hold]:
    """As soon as nobody else has the lease; `waits` is called once when somebody does."""
    with renewed(tenure, _taken(tenure, waits)) as hold:
        yield hold


@contextmanager
def renewed(tenure: Tenure, fence: int) -> Iterator[Hold]:
    """The lease that was taken with this fence: its end is put off meanwhile, and it is given back."""
    hold, stop = Hold(tenure, fence), threading.Event()
    keeper = threading.Thread(target=hold.keep, args=(stop,), name="lease", daemon=True)
    keeper.start()
    try:
        yield hold
    finally:
        stop.set()
        keeper.join()
        with suppress(RegistryError):
            # Where that fails it ends by itself.
            tenure.release(fence)


def _taken(tenure: Tenure, waits: Callable[[], None]) -> int:
    fence = tenure.take()
    if fence is None:
        waits()
        never = threading.Event()
        while fence is None:
            never.wait(_PAUSE)
            fence = tenure.take()
    return fence


def _nothing(_: Transaction) -> None:
    """The lease is what is asked for."""
