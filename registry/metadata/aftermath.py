"""What became of a commit that PostgreSQL never answered, because the connection was lost.

The server remembers by a transaction's id how it ended. But an id that it had given away, and not written down when it
crashed, it gives away again: `committed` may then be said of somebody else's transaction. So that word counts only in
the life of the server that ours ran in; `aborted` counts always.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import errors

from registry.metadata.statements import Row
from registry.oci.errors import Unavailable

# Statistics begin anew with each recovery, also where only the first process outlived the crash.
_LIFE: Final = "pg_postmaster_start_time()::text || ' ' || (SELECT stats_reset FROM pg_stat_bgwriter)"
_STATUS: Final = f"SELECT pg_xact_status(%s::text::xid8), {_LIFE}"
# Of an id that was never given away: this server took over from one whose last commits it has not seen.
_UNHEARD_OF: Final = "aborted", ""


def life_of(driver: psycopg.Connection[Any]) -> str:
    """Which life of the server the connection is to: another after each crash, restart and failover."""
    row = driver.execute(f"SELECT {_LIFE}", prepare=False).fetchone()
    assert row is not None  # noqa: S101  for the type checker: always one row
    return str(row[0])


@dataclass(frozen=True, slots=True)
class Aftermath:
    """Asks over connections of its own, made by `connect`; for `patience` seconds, between `pauses`."""

    connect: Mapping[str, Any]
    patience: float
    pauses: Callable[[], Iterator[float]]

    def has_committed(self, transaction: str, life: str) -> bool:
        """Whether the transaction of this id, in that life of the server, took place.

        Raises: Unavailable where nobody can tell, or not in time.
        """
        ends = time.monotonic() + self.patience
        for pause in self.pauses():
            status, lives = self.status(transaction) or ("in progress", "")
            if status == "aborted" or (status == "committed" and lives == life):
                return status == "committed"
            if status == "committed" or time.monotonic() + pause > ends:
                raise Unavailable(reason="a commit was cut off, and whether it took place is not known")
            time.sleep(pause)
        raise AssertionError("the pauses never end")

    def status(self, transaction: str) -> tuple[str, str] | None:
        """What the server says of the id, and in which life; None while it does not answer."""
        try:
            with psycopg.Connection.connect(**self.connect, autocommit=True, prepare_threshold=None) as driver:
                row: Row | None = driver.execute(_STATUS, [transaction]).fetchone()
        except errors.InvalidParameterValue:
            return _UNHEARD_OF
        except psycopg.OperationalError:
            return None
        # Forgotten only after some thousand million others.
        return (row[0] or "aborted", str(row[1])) if row else None
