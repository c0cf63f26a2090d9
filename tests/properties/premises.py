"""A registry whose clock and power a test has in its hands, on any database and store, and what its tables say."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any, Final, cast

import psycopg

from registry.core.fsck_facts import HeldKind
from registry.core.ports import Metadata, ObjectStore, StoreInventory
from registry.core.repositories import RepositoryService
from registry.core.sweep import Sweeper
from registry.core.tenure import Tenure
from registry.core.undo import UndoService
from registry.metadata.postgres import PostgresMetadata
from registry.metadata.postgres_reader import PostgresReader
from registry.metadata.reader import SqliteReader
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName
from registry.storage.file_inventory import FileInventory
from registry.storage.filesystem import FilesystemStore
from registry.storage.memory import MemoryStore
from tests.contracts.conftest import Database, Worker
from tests.contracts.test_collecting import Registry
from tests.properties.reference import LEASE, WINDOW, State
from tests.support.books import Ask, check_books, check_nothing_is_left
from tests.support.clock import Ahead, SqlMetadata
from tests.support.fuse import Fuse, Fused, FusedStore
from tests.support.postgres import postgres_server
from tests.unit.metadata.databases import new_database, opened, quick_folder

HOUR: Final = timedelta(hours=1)
_ROUNDS: Final = 20


class Premises:
    """One registry; `restart` is what a power cut leaves of it."""

    def __init__(self, metadata: SqlMetadata, store: Any, inventory: StoreInventory, ask: Ask, worker: Worker) -> None:
        self.fuse = Fuse()
        self.clock = Ahead(Fused(metadata, self.fuse))
        self.ask = ask
        self._store = store
        self._inventory = inventory
        self._worker = worker
        self._began = metadata.observe(lambda tx: tx.now)
        self.restart()

    def restart(self) -> None:
        """Nothing is left of the process but what it wrote."""
        self.fuse.left = None
        store = cast("ObjectStore", FusedStore(self._store, self.fuse))
        metadata: Metadata = self.clock
        self.registry = Registry(metadata, LEASE * HOUR, WINDOW * HOUR, store)
        self.undo = UndoService(metadata, WINDOW * HOUR)
        self.repositories = RepositoryService(metadata, WINDOW * HOUR)
        self.sweeper = Sweeper(metadata, store, Tenure(metadata, "sweep", "one"), timedelta(0))

    def pass_time(self, hours: int) -> None:
        self.clock.ahead += hours * HOUR

    def collect(self) -> None:
        """As often as there is something to take."""
        for _ in range(_ROUNDS):
            if not self.registry.collect().has_taken:
                return
        raise AssertionError("the collector comes to no end")

    def state(self) -> State:
        """What is in the tables, each instant as the hour of our clock."""
        rows = self.ask("SELECT id, name, uuid, deleted_at FROM repository")
        key = {row_id: name if deleted is None else uuid for row_id, name, uuid, deleted in rows}
        links = self.ask("SELECT repository_id, digest, lease_until, deleted_at FROM link")
        manifests = self.ask("SELECT repository_id, digest, deleted_at FROM manifest")
        tags = self.ask("SELECT tag.repository_id, name, digest FROM tag JOIN manifest ON id = manifest_id")
        return State(
            {
                (key[where], Digest.unpack(part)): (self._hour(lease), hidden is not None)
                for where, part, lease, hidden in links
            },
            {
                (key[where], Digest.unpack(each)): None if at is None else self._hour(at)
                for where, each, at in manifests
            },
            {(key[where], tag): Digest.unpack(digest) for where, tag, digest in tags},
        )

    def has(self, name: RepositoryName) -> bool:
        """Whether there is such a repository, though it may hold nothing."""
        return (str(name),) in self.ask("SELECT name FROM repository WHERE deleted_at IS NULL")

    def deleted_uuids(self) -> list[str]:
        return [uuid for (uuid,) in self.ask("SELECT uuid FROM repository WHERE deleted_at IS NOT NULL")]

    def reads(self, name: RepositoryName, digest: Digest) -> bytes | None:
        """What a pull of the blob would get, by the lookup that it would make."""
        blob = self._worker.ask(lambda reader: reader.blob(name, digest))
        if blob is None or blob.content is not None:
            return blob.content if blob else None
        assert blob.key is not None
        return bytes(self._store.pread(blob.key, 0, blob.size + 1))

    def reads_manifest(self, name: RepositoryName, digest: Digest) -> bytes | None:
        found = self._worker.ask(lambda reader: reader.manifest(name, digest))
        return found.content if found else None

    def check(self) -> None:
        """Nothing visible lacks anything, every project is charged what it holds, and the store has every object."""
        check_books(self.ask)
        self.registry.check()
        assert self._stored() >= {key for (key,) in self.ask("SELECT key FROM object WHERE state = 'live'")}

    def come_to_rest(self) -> None:
        """Every lease, window and session ends, and whatever is nobody's goes."""
        self.pass_time(LEASE + WINDOW)
        for _ in range(3):
            self.collect()
            self.sweeper.run()
            self.pass_time(LEASE + WINDOW)
        check_nothing_is_left(self.ask)
        assert self._stored() == {key for (key,) in self.ask("SELECT key FROM object")}

    def _stored(self) -> set[str]:
        return {held.name for page in self._inventory.pages() for held in page if held.kind is HeldKind.OBJECT}

    def _hour(self, micros: int | None) -> int | None:
        return None if micros is None else int((micros / 1e6 - self._began.timestamp()) // HOUR.total_seconds())


@contextmanager
def on_sqlite(*, in_memory: bool = True) -> Iterator[Premises]:
    with quick_folder() as folder, opened(database := new_database(folder)) as metadata:
        reader = metadata.reader()
        known = Database(metadata, lambda: SqliteReader(reader.run, reader.version))
        in_heap = MemoryStore()
        store, inventory = (in_heap, in_heap) if in_memory else (FilesystemStore(folder), FileInventory(folder))
        with known.worker() as worker, closing(sqlite3.connect(database, isolation_level=None)) as eyes:
            yield Premises(metadata, store, inventory, lambda query: eyes.execute(query).fetchall(), worker)


@contextmanager
def on_postgresql() -> Iterator[Premises]:
    with (
        postgres_server().database() as url,
        closing(PostgresMetadata(url, pool_size=1)) as metadata,
        Database(metadata, lambda: PostgresReader(url)).worker() as worker,
        psycopg.connect(url, autocommit=True) as eyes,
    ):
        store = MemoryStore()
        yield Premises(metadata, store, store, lambda query: eyes.execute(query).fetchall(), worker)


GROUNDS: Final[dict[str, Callable[[], Any]]] = {
    "sqlite": on_sqlite,
    "sqlite and files": lambda: on_sqlite(in_memory=False),
    "postgresql": on_postgresql,
}
