"""Work that somebody may watch: it says what it begins, of about what length, and each step."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Somebody who wants to know how far it is."""

    def begins(self, task: str, length: int) -> None:
        """What comes next, of about so many."""
        ...

    def advances(self, steps: int) -> None:
        """So many more are done with."""
        ...


class Unwatched:
    """`Watcher` where nobody watches."""

    def begins(self, task: str, length: int) -> None:
        """Nothing is said."""

    def advances(self, steps: int) -> None:
        """Nor here."""
