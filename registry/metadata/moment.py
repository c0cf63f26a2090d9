"""What every noun's queries share: the connection they run on, and the instant of the open transaction."""

from __future__ import annotations

from registry.metadata.statements import Row, Run, Statement


class Moment:
    """One connection at one instant, in microseconds."""

    __slots__ = ("micros", "run")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.micros = 0

    def first(self, statement: Statement, /, **values: object) -> Row | None:
        """The first row, or None."""
        rows = self.run(statement, **values)
        return rows[0] if rows else None
