"""What a database must be for facts to come back into it, and what the facts become before they do.

Nothing that was under way when they were taken goes on: upload sessions end, and what they had written is nobody's. The
leases are free. And whoever restores leaves word of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from registry.core.restoring import RESTORING
from registry.metadata.migrate import engine_for, revision
from registry.metadata.schema import metadata, setting


def settle(database: Path, settings: Mapping[str, str]) -> None:
    """Change the facts in this file so, in one transaction, and put these settings."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(
            "UPDATE project SET used = used"
            " - (SELECT coalesce(sum(size), 0) FROM reservation WHERE project_id = project.id)"
        )
        connection.execute("DELETE FROM reservation")
        connection.execute("DELETE FROM upload")
        # Forgotten and not doomed: where the store is still the old one, its session may have been committed after
        # these facts were taken. So it is unknown to fsck, which adopts before it deletes.
        connection.execute(
            "DELETE FROM object WHERE state = 'receiving'"
            " AND NOT EXISTS (SELECT 1 FROM blob WHERE blob.object_id = object.id)"
        )
        connection.execute("UPDATE lease SET until = 0")
        connection.executemany(
            "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            list(settings.items()),
        )


@dataclass(frozen=True, slots=True)
class Target:
    """What a database holds into which facts are to come."""

    filled: str | None
    """A table that has rows."""
    restoring: str | None
    """What is being restored into it."""


def look_at(database: Path | str) -> Target:
    """At any schema, or none at all. Raises: Unavailable."""
    if revision(database) is None:
        return Target(None, None)
    with engine_for(database).connect() as connection:
        begun = connection.execute(sa.select(setting.c.value).where(setting.c.name == RESTORING)).scalar()
        present = set(sa.inspect(connection).get_table_names())
        for table in metadata.sorted_tables:
            first = sa.select(sa.literal(1)).select_from(table).limit(1)
            if table.name in present and connection.execute(first).first():
                return Target(table.name, begun)
        return Target(None, begun)
