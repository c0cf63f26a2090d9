"""Facts in an SQLite file of their own that nobody writes to: made of a database that is in use, checked, opened."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from registry.oci.errors import StorageFull, Unavailable

_MODE: Final = 0o600
_BESIDE: Final = ("-wal", "-shm", "-journal", "-migration")


class FactsDamaged(Exception):
    """A file that is not, or not any more, a registry's database."""


def vacuum(source: Path, target: Path) -> None:
    """Write the facts of one instant to `target`, which is new; what fails leaves nothing of it.

    `source` may be written to meanwhile. Nothing is flushed to the disk.
    Raises: FactsDamaged, StorageFull, Unavailable.
    """
    remove(target)
    try:
        # Hashes of passwords are in there: for our eyes only from the first byte.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE))
        with saying_what(source), closing(open_facts(source)) as connection:
            connection.execute("VACUUM INTO ?", [str(target)])
        check(target)
    except BaseException:
        remove(target)
        raise


def check(database: Path) -> None:
    """Read all of it. Raises: FactsDamaged."""
    with saying_what(database), closing(open_facts(database)) as connection:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != ("ok",):
        raise FactsDamaged(f"{database} is damaged: {found[0] if found else 'nothing can be read'}")


def remove(database: Path) -> None:
    """The file and all that lies beside it, if it is there."""
    for beside in ("", *_BESIDE):
        database.with_name(database.name + beside).unlink(missing_ok=True)


def open_facts(database: Path) -> sqlite3.Connection:
    """For reading only; a log beside it is read too."""
    return sqlite3.connect(f"file:{quote(str(database.absolute()))}?mode=ro", uri=True, isolation_level=None)


@contextmanager
def saying_what(database: Path | str) -> Iterator[None]:
    """The driver's errors in our words."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
            raise StorageFull from error
        if code == sqlite3.SQLITE_BUSY:
            raise Unavailable from error
        raise FactsDamaged(f"{database} cannot be read as a registry's database: {error}") from error
