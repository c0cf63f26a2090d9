"""Threads for work that many may ask for at once, and a bound on how many wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from registry.api.services import Threads
from registry.oci.errors import Busy

T = TypeVar("T")


class WaitingLine:
    """On the event loop; who finds it full is told to come again."""

    def __init__(self, threads: Threads, most: int) -> None:
        self._threads = threads
        self._most = most
        self._waiting = 0

    async def __call__(self, work: Callable[..., T], /, *arguments: object) -> T:
        """Run `work` when its turn comes; what it raises is raised here. Raises: Busy."""
        if self._waiting >= self._most:
            raise Busy
        self._waiting += 1
        try:
            return await self._threads(work, *arguments)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads."""
        self._threads.close()
