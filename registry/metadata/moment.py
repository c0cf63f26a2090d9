"""What every noun's queries share: the connection they run on, and the open transaction's instant and tally."""

from __future__ import annotations

from collections.abc import Callable

from registry.core.facts import Caller
from registry.metadata.statements import Row, Runs, Statement
from registry.metadata.tally import Tally


class Moment:
    """One connection at one instant."""

    __slots__ = ("_instant", "by", "notices", "run", "run_many", "tally")

    def __init__(self, connection: Runs) -> None:
        self.run = connection.run
        self.run_many = connection.run_many
        self.tally = Tally()
        self.notices: list[str] = []
        self.by: Caller | None = None
        self._instant: int | Callable[[], int] = 0

    @property
    def micros(self) -> int:
        """The instant, in microseconds."""
        if not isinstance(self._instant, int):
            self._instant = self._instant()
        return self._instant

    def begin(self, instant: int | Callable[[], int]) -> None:
        """From now on it is this one; whoever does not need it has no clock asked."""
        self._instant = instant
        # Another list: whoever was handed the former may not have read it yet.
        self.notices = []
        self.by = None
        # What an earlier one has added and did not commit.
        self.tally.take()

    def first(self, statement: Statement, /, **values: object) -> Row | None:
        """The first row, or None."""
        rows = self.run(statement, **values)
        return rows[0] if rows else None
