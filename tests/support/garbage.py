"""Blobs that nobody wants any more, laid straight into a registry's folder: as if pushed long ago, and never named."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from registry.oci.digest import Digest
from registry.storage.layout import new_key, object_path

SIZE: Final = 8192
"""Bytes of each: more than SQL keeps."""
_LONG_AGO: Final = 1
_INSERTS: Final = (
    "INSERT INTO object (key, state, size, changed_at) VALUES (:key, 'live', :size, :then)",
    # Verified in a time to come: nobody is to read it again meanwhile.
    """INSERT INTO blob (digest, size, object_id, verified_at)
    SELECT :digest, :size, id, 4000000000000000 FROM object WHERE key = :key""",
    """INSERT INTO link (repository_id, digest, blob_id, lease_until)
    SELECT :repository, :digest, id, :then FROM blob WHERE digest = :digest""",
    "INSERT INTO project_content (project_id, kind, digest, size, links) VALUES (:project, 'blob', :digest, :size, 1)",
    "INSERT INTO review (repository_id, kind, digest, due_at) VALUES (:repository, 'blob', :digest, :then)",
)


def lay_garbage(data: Path, count: int) -> None:
    """So many blobs in the folder of a registry on SQLite that has started once; their leases ended in 1970.

    The same ones each time, so the former have to be gone.
    """
    rows = list(_rows(count))
    for row in rows:
        path = data / str(row["key"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_content(row["number"]))
    # In one transaction, so that no collector sees a part of it.
    with closing(sqlite3.connect(data / "registry.db", timeout=60)) as database, database:
        project, repository = _place(database)
        for insert in _INSERTS:
            database.executemany(insert, [row | {"project": project, "repository": repository} for row in rows])
        database.execute("UPDATE project SET used = used + ? WHERE id = ?", [count * SIZE, project])


def is_garbage_left(data: Path) -> bool:
    """Whether a row names any of it still: rows go after files."""
    with closing(sqlite3.connect(data / "registry.db", timeout=60)) as database:
        return bool(database.execute("SELECT 1 FROM object WHERE size = ? LIMIT 1", [SIZE]).fetchall())


def _rows(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        digest = Digest.of(_content(number)).packed
        yield {"number": number, "key": object_path(new_key()), "digest": digest, "size": SIZE, "then": _LONG_AGO}


def _content(number: int) -> bytes:
    """As it was pushed, so that whoever reads it again finds nothing wrong."""
    return number.to_bytes(SIZE, "big")


def _place(database: sqlite3.Connection) -> tuple[int, int]:
    """A project and a repository of it."""
    database.execute("INSERT INTO project (name, created_at) VALUES ('garbage', 1) ON CONFLICT DO NOTHING")
    database.execute(
        """INSERT INTO repository (uuid, name, project_id, created_at, pushed_at)
        SELECT 'garbage', 'garbage/app', id, 1, 1 FROM project WHERE name = 'garbage' ON CONFLICT DO NOTHING"""
    )
    [place] = database.execute("SELECT project_id, id FROM repository WHERE uuid = 'garbage'")
    project, repository = place
    return project, repository
