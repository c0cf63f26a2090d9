"""What every noun's queries share: the connection they run on, and the instant of the open transaction."""

from __future__ import annotations

from registry.metadata.statements import Row, Runs, Statement


class Moment:
    """One connection at one instant, in microseconds."""

    __slots__ = ("micros", "run", "run_many")

    def __init__(self, connection: Runs) -> None:
        self.run = connection.run
        self.run_many = connection.run_many
        self.micros = 0

    def first(self, statement: Statement, /, **values: object) -> Row | None:
        """The first row, or None."""
        rows = self.run(statement, **values)
        return rows[0] if rows else None
