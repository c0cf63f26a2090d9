"""Bars for whoever waits at a terminal: on standard error, so that what a verb prints can be kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from registry.core.watching import Watcher


class Bars:
    """`Watcher`: a bar for each task, for a terminal."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._bar: Any = None

    def begins(self, task: str, length: int) -> None:
        """The former bar is done, and stays to be read."""
        self._stack.close()
        self._bar = self._stack.enter_context(click.progressbar(length=length, label=task, file=sys.stderr))

    def advances(self, steps: int) -> None:
        """A step."""
        self._bar.update(steps)

    def close(self) -> None:
        """Leave the line of the last bar."""
        self._stack.close()


@contextmanager
def watching() -> Iterator[Watcher]:
    """Bars at a terminal, and silence elsewhere."""
    from registry.core.watching import Unwatched

    if not sys.stderr.isatty():
        yield Unwatched()
        return
    bars = Bars()
    try:
        yield bars
    finally:
        bars.close()
