"""A backup, drawn.

FOLDER/                        0700
├── backup.json                what the newest whole backup is: written last, and replaced in one step
├── facts-<instant>.db         the facts of that instant, in SQLite
├── key                        the key file of the registry, unless it was left out
├── lock                       held while somebody writes here; in it the name that a backup into this folder goes by
└── blobs/
    └── <2 hex>/
        └── <uuid>             an object under its own key: it never changes, so it is never copied twice

What begins with a dot was being written when somebody was killed, and counts for nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, Self

from registry.core.facts import ObjectKey
from registry.storage.durable import FILE_MODE, make_folder, replace_file, sync_file, sync_folder
from registry.storage.layout import BLOBS, object_path
from registry.storage.receiver import making_room

FORMAT: Final = 1
DOCUMENT: Final = "backup.json"
KEY: Final = "key"
_LOCK: Final = "lock"
_FACTS: Final = re.compile(r"facts-[0-9TZ.-]+\.db")
# A disk of its own has this in its root.
_NOT_OURS: Final = "lost+found"


class BackupInvalid(Exception):
    """A folder that holds no whole backup, or one that this program cannot read."""


class FolderUnfit(Exception):
    """A folder that no backup may be written into: it is in use, another instance's, or no backup's."""


@dataclass(frozen=True, slots=True)
class Whole:
    """What `backup.json` says."""

    instance: str
    at: str
    revision: str
    facts: str
    facts_digest: str
    counts: Mapping[str, int]
    objects: int
    object_bytes: int
    broken: int
    has_key: bool

    @classmethod
    def parse(cls, content: bytes, where: str) -> Self:
        """Raises: BackupInvalid."""
        try:
            document = json.loads(content)
            # The version first: a later one may tell the rest in other words.
            if (version := document.pop("format")) != FORMAT:
                raise BackupInvalid(f"{where} has format {version!r}, this program knows {FORMAT}")
            whole = cls(**document)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise BackupInvalid(f"{where} does not describe a backup") from None
        if not _FACTS.fullmatch(whole.facts):
            raise BackupInvalid(f"{where} names facts that cannot be its own")
        return whole

    def document(self) -> bytes:
        """What `parse` reads."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class BackupFolder:
    """One folder; what is written to it is durable once `finish` has returned."""

    root: Path

    def find(self) -> Whole | None:
        """The newest whole backup in it. Raises: BackupInvalid."""
        file = self.root / DOCUMENT
        try:
            return Whole.parse(file.read_bytes(), str(file))
        except (FileNotFoundError, NotADirectoryError):
            return None

    @contextmanager
    def writing(self, instance: str) -> Iterator[str]:
        """Nobody else writes here meanwhile; the name that whoever writes here has always gone by.

        Raises: FolderUnfit, BackupInvalid.
        """
        make_folder(self.root)
        self._refuse_foreign(instance)
        descriptor = os.open(self.root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderUnfit(f"another backup into {self.root} is under way") from None
            name = os.pread(descriptor, 100, 0).decode(errors="replace").strip()
            if not name:
                name = str(uuid.uuid4())
                os.pwrite(descriptor, name.encode(), 0)
            self._remove_drafts()
            yield name
        finally:
            os.close(descriptor)

    def draft(self, at: datetime) -> Path:
        """Where facts are put until every object of theirs is here."""
        return self.root / f".facts-{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}.db"

    def has(self, key: ObjectKey, size: int) -> bool:
        """Whether the object is here: under its name there are either all its bytes or none."""
        try:
            return self.path(key).stat().st_size == size
        except FileNotFoundError:
            return False

    def path(self, key: ObjectKey) -> Path:
        """Where an object is. Raises: KeyInvalid."""
        return self.root / object_path(key)

    def put(self, key: ObjectKey, chunks: Iterator[bytes]) -> None:
        """Keep an object: all of it, or nothing when `chunks` raises. Raises: StorageFull."""
        path = self.path(key)
        draft = path.with_name(f".{path.name}")
        with making_room():
            make_folder(path.parent)
            try:
                with _create(draft) as file:
                    for chunk in chunks:
                        file.write(chunk)
                    os.fsync(file.fileno())
                draft.rename(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise

    def finish(self, draft: Path, whole: Whole, key: bytes | None) -> None:
        """From now on this is the newest whole backup here. Raises: StorageFull."""
        with making_room():
            for folder in self._blob_folders():
                sync_folder(folder)
            if key is not None:
                replace_file(self.root / KEY, key)
            sync_file(draft)
            draft.rename(self.root / whole.facts)
            sync_folder(self.root)
            replace_file(self.root / DOCUMENT, whole.document())

    def prune(self, whole: Whole, named: Callable[[str], set[str]]) -> int:
        """Remove what this backup is not made of; `named` tells its keys that begin so. How many objects went."""
        for file in self.root.iterdir():
            if _FACTS.fullmatch(file.name) and file.name != whole.facts:
                file.unlink()
        if not whole.has_key:
            (self.root / KEY).unlink(missing_ok=True)
        removed = 0
        for folder in self._blob_folders():
            wanted = named(f"{BLOBS}/{folder.name}/")
            for file in folder.iterdir():
                if f"{BLOBS}/{folder.name}/{file.name}" not in wanted:
                    file.unlink()
                    removed += not file.name.startswith(".")
        return removed

    def _blob_folders(self) -> list[Path]:
        blobs = self.root / BLOBS
        return sorted(each for each in blobs.iterdir() if each.is_dir()) if blobs.is_dir() else []

    def _remove_drafts(self) -> None:
        """Those of objects are left: whoever puts the object writes over it, and pruning takes the others."""
        for file in self.root.glob(".facts-*"):
            file.unlink()

    def _refuse_foreign(self, instance: str) -> None:
        former = self.find()
        if former is not None and former.instance != instance:
            raise FolderUnfit(f"{self.root} holds a backup of instance {former.instance}, and this one is {instance}")
        # Whoever wrote here first made the lock before all else: without it `blobs` and `key` are a registry's own.
        is_begun = former is not None or (self.root / _LOCK).exists()
        parts = {DOCUMENT, KEY, _LOCK, BLOBS} if is_begun else set()
        for name in sorted(each.name for each in self.root.iterdir()):
            is_ours = name in {*parts, _NOT_OURS} or name.startswith(".") or (is_begun and _FACTS.fullmatch(name))
            if not is_ours:
                raise FolderUnfit(f"{self.root} holds {name}, which is no part of a backup: give a folder of its own")


def digest_of(file: Path) -> str:
    """Of all its bytes."""
    with file.open("rb") as opened:
        return f"sha256:{hashlib.file_digest(opened, 'sha256').hexdigest()}"


def _create(path: Path) -> BinaryIO:
    # O_TRUNC, not O_EXCL: somebody who died here has left what is no object yet.
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE), "wb")
