"""A registry made of a backup: facts first, with the word that they are not enough; then objects; then the word goes.

    backup's facts ──▶ a copy to work on: migrated, and rid of what was under way
                        └─▶ the database, one transaction; `restoring` is among its settings from then on
                             └─▶ objects, each verified ──▶ `restoring` removed: the registry may be served

Killed before the transaction, nothing is there; after it, the same restore goes on where it stopped. Until fsck has
passed the collector stays paused, because facts may come back that are older than the store they come back to.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from registry.backup.copying import Crew, Damaged
from registry.backup.folder import DOCUMENT, KEY, BackupFolder, BackupInvalid, digest_of
from registry.backup.report import Report, Watcher
from registry.core.ports import Metadata, ObjectLost, ObjectStore, Transaction
from registry.core.restoring import RESTORING
from registry.core.sweep import COLLECTOR_PAUSED
from registry.metadata import copying, facts_file, migrate, restored
from registry.metadata.kept_facts import KeptObject, Snapshot
from registry.storage.durable import FOLDER_MODE, make_folder, replace_file

_WORK: Final = ".restore"


class NotRestorable(Exception):
    """The registry is not one that this backup may be restored into."""


@dataclass(frozen=True, slots=True)
class Source:
    """Facts in a file, known by their digest; and the folder of their objects, if they have one."""

    facts: Path
    digest: str
    folder: BackupFolder | None
    at: str

    @property
    def key(self) -> bytes | None:
        """The key file that came along."""
        file = self.folder.root / KEY if self.folder else None
        return file.read_bytes() if file is not None and file.exists() else None


def find_source(path: Path) -> Source:
    """A backup's folder, or the facts of one in a file. Raises: BackupInvalid."""
    if not path.is_dir():
        folder = BackupFolder(path.parent) if (path.parent / DOCUMENT).exists() else None
        return Source(path, digest_of(path), folder, path.name)
    folder = BackupFolder(path)
    whole = folder.find()
    if whole is None:
        raise BackupInvalid(f"{path} holds no {DOCUMENT}: it is no backup, or one that never came to its end")
    facts = path / whole.facts
    if not facts.exists():
        raise BackupInvalid(f"{facts} is missing")
    digest = digest_of(facts)
    if digest != whole.facts_digest:
        raise BackupInvalid(f"{facts} is damaged: it is {digest}, and was {whole.facts_digest}")
    return Source(facts, digest, folder, whole.at)


@contextmanager
def working_copy(source: Source, data: Path) -> Iterator[Path]:
    """The source's facts at this program's schema, in a file of the data folder that goes afterwards.

    Raises: NotRestorable when another restore is under way there; FactsDamaged, SchemaUnknown, StorageFull.
    """
    make_folder(data)
    folder = data / _WORK
    folder.mkdir(FOLDER_MODE, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotRestorable(f"another restore into {data} is under way") from None
        facts = folder / "facts.db"
        try:
            facts_file.vacuum(source.facts, facts)
            migrate.migrate(facts)
            yield facts
        finally:
            facts_file.remove(facts)
            folder.rmdir()
    finally:
        os.close(descriptor)


def is_begun(source: Source, database: Path | str, *, database_only: bool) -> bool:
    """Whether this very restore has put its facts there. Raises: NotRestorable, Unavailable."""
    _refuse_remains(database)
    target = restored.look_at(database)
    if target.restoring == source.digest and not database_only:
        return True
    if target.restoring is not None:
        raise NotRestorable("another restore into this registry was begun: go on with that one, or empty the database")
    if target.filled is not None:
        raise NotRestorable(
            f"the database is not empty, there are rows in {target.filled}: restore into an empty one, and take "
            "a registry that is served no more out of the way yourself"
        )
    return False


def _refuse_remains(database: Path | str) -> None:
    """SQLite would take the log of a database that is gone for the new one's. Raises: NotRestorable."""
    if isinstance(database, Path) and not database.exists():
        log = database.with_name(database.name + "-wal")
        if log.exists():
            raise NotRestorable(f"{log} is left of a database that is gone: take it away first")


def put_facts(source: Source, working: Path, database: Path | str, *, database_only: bool) -> int:
    """The working copy into the database, all of it or nothing; the number of rows. Raises: CopyDiffers, NotEmpty."""
    word = f"restored from the backup of {source.at}: run entrepot fsck, which ends this when it finds nothing wrong"
    restored.settle(working, {COLLECTOR_PAUSED: word} | ({} if database_only else {RESTORING: source.digest}))
    migrate.migrate(database)
    return copying.copy(working, database, lambda *_: None)


def put_key(source: Source, path: Path) -> bool:
    """The key file, where there is none yet; whether it was put. Without it tokens are void, and made anew."""
    if path.exists() or (key := source.key) is None:
        return False
    make_folder(path.parent)
    replace_file(path, key)
    return True


@dataclass(frozen=True, slots=True)
class Restore:
    """The objects of facts that are in the database already."""

    folder: BackupFolder
    metadata: Metadata
    store: ObjectStore
    threads: int
    watcher: Watcher

    def run(self, facts: Snapshot, at: str) -> Report:
        """Those that are there in their size are left as they are.

        Raises: StorageFull, Unavailable, NotRestorable; FileNotFoundError when the backup itself is gone.
        """
        report = Report(facts.instance, at, facts.counts())
        self.watcher.begins(*facts.totals())
        crew = Crew(self.threads)
        lost: list[KeptObject] = []
        for copied in crew.each(lambda kept: self._put(crew, kept), facts.objects(), self._check):
            report.count(copied)
            self.watcher.advances(copied.kept.size)
            if copied.broken is not None:
                lost.append(copied.kept)
        self.metadata.transact(lambda tx: _finish(tx, lost))
        return report

    def _is_on(self) -> bool:
        return self.metadata.observe(lambda tx: tx.settings.find(RESTORING)) is not None

    def _check(self) -> None:
        """The registry may be served by now, where the same restore was begun once more and was quicker.

        Raises: NotRestorable.
        """
        if not self._is_on():
            raise NotRestorable("another run of this restore has come to its end: this one has nothing more to do")

    def _put(self, crew: Crew, kept: KeptObject) -> bool:
        size = self.store.size(kept.key)
        if size == kept.size:
            return False
        if size is not None:
            # Half of it, from a restore that was killed; or something else, which a bucket would refuse to replace.
            self._check()
            self.store.delete([kept.key])
        with self._opened(kept) as stream:
            try:
                self._receive(kept, crew.verified(stream, kept))
            except Damaged:
                self._check()
                self.store.delete([kept.key])
                raise
        return True

    def _opened(self, kept: KeptObject) -> BinaryIO:
        try:
            return self.folder.path(kept.key).open("rb")
        except FileNotFoundError:
            if self.folder.find() is None:
                # All of them are gone, with their disk: that is no damage, and the restore is to be gone on with.
                raise
            raise Damaged("it is not in the backup") from None

    def _receive(self, kept: KeptObject, chunks: Iterator[bytes]) -> None:
        """Nobody else writes to it: whoever serves is refused as long as `restoring` is there."""
        try:
            receiver = self.store.receive(kept.key, 0, "", self._is_on)
            if receiver is not None:
                with receiver:
                    if all(receiver.append([chunk]) for chunk in chunks) and receiver.seal():
                        return
        except ObjectLost:
            # Not the backup's fault, so the object is not given up.
            raise NotRestorable(f"the store did not keep {kept.key}: begin again, and alone") from None
        raise NotRestorable(f"another run of this restore came to its end while this one was at {kept.key}")


def _finish(tx: Transaction, lost: list[KeptObject]) -> None:
    """What did not come is not served, and so is pushed again; all else is."""
    for kept in lost:
        tx.blobs.mark_damaged(kept.digest, kept.key)
    tx.settings.remove(RESTORING)
