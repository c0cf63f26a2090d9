"""What the open transaction adds to projects: summed until its end, and then written (`quotas`).

All pushes to a project want its row. So whoever charges it locks it as the last thing before the commit, and once.
"""

from __future__ import annotations

from collections.abc import Sequence

from registry.core.quota import Growth


class Tally:
    """Of one transaction after the other."""

    __slots__ = ("_grown",)

    def __init__(self) -> None:
        self._grown: dict[int, Growth] = {}

    def add(self, project: int, growth: Growth) -> None:
        """So much more."""
        known = self._grown.get(project)
        self._grown[project] = known + growth if known else growth

    def take(self) -> Sequence[tuple[int, Growth]]:
        """All of it, in the order in which everybody locks projects; from now on there is none."""
        grown = sorted(self._grown.items(), key=lambda each: each[0])
        self._grown.clear()
        return grown
