"""Backups of a registry without HTTP, and what is made of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from registry.backup.folder import BackupFolder, Whole
from registry.backup.hold import held
from registry.backup.report import Report
from registry.backup.save import Backup
from registry.core.facts import ObjectKey
from registry.core.tenure import Tenure
from registry.storage.filesystem import FilesystemStore
from tests.unit.core.house import House

INSTANCE = "5f0f8f2e-0000-4000-8000-000000000000"
KEY = bytes(range(32))


@dataclass
class Watching:
    """A watcher that keeps what it is told."""

    waited: int = 0
    begun: tuple[int, int] = (0, 0)
    advanced: list[int] = field(default_factory=list)

    def waits(self) -> None:
        self.waited += 1

    def begins(self, objects: int, size: int) -> None:
        self.begun = (objects, size)

    def advances(self, size: int) -> None:
        self.advanced.append(size)


class Meanwhile(FilesystemStore):
    """The house's store, where something happens whenever an object is about to be read."""

    def __init__(self, root: Path, happens: Callable[[ObjectKey], None]) -> None:
        super().__init__(root)
        self._happens = happens

    def open(self, key: ObjectKey, start: int = 0) -> BinaryIO:
        self._happens(key)
        return super().open(key, start)


def back_up(
    house: House,
    folder: Path,
    *,
    happens: Callable[[ObjectKey], None] | None = None,
    watcher: Watching | None = None,
    key: bytes | None = KEY,
    keep: bool = False,
) -> Report:
    target, watcher = BackupFolder(folder), watcher or Watching()
    store = house.store if happens is None else Meanwhile(house.folder, happens)
    with target.writing(INSTANCE) as holder, held(Tenure(house.metadata, "sweep", holder), watcher.waits) as hold:
        return Backup(house.database, store, target, key, 2, watcher).run(hold, datetime.now(UTC), keep=keep)


def whole_in(folder: Path) -> Whole:
    whole = BackupFolder(folder).find()
    assert whole is not None
    return whole


def key_of(house: House, content: bytes) -> ObjectKey:
    """Where the newest large blob of these bytes lies."""
    from registry.oci.digest import Digest

    blob = house.serves(Digest.of(content))
    assert blob is not None
    assert blob.key is not None
    return blob.key


def facts_in(folder: Path, query: str) -> list[tuple[object, ...]]:
    """What the facts of a backup say, asked by nobody's code but the test's."""
    with closing(sqlite3.connect(f"file:{folder / whole_in(folder).facts}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def objects_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("blobs/*/*")}
