"""A registry over any database and any store, with hands that damage it for real, and fsck."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from registry.core.accounts import settle
from registry.core.blobs import BlobService
from registry.core.facts import ObjectKey, StoredBlob
from registry.core.fsck import Allowed, Outcome
from registry.core.fsck_report import Report
from registry.core.fsck_run import Fsck
from registry.core.manifests import ManifestService
from registry.core.ports import Metadata, ObjectStore, StoreInventory
from registry.core.reception import Reception
from registry.core.sweep import Sweeper
from registry.core.tenure import Tenure
from registry.core.uploads import UploadService
from registry.metadata.postgres import PostgresMetadata
from registry.metadata.sqlite import SqliteMetadata
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag
from registry.storage.file_inventory import FileInventory
from registry.storage.filesystem import FilesystemStore
from registry.storage.hashing import hashes
from registry.storage.layout import new_key, object_path
from registry.storage.s3 import S3Store
from registry.storage.s3_bucket import Bucket
from registry.storage.s3_client import S3Settings
from registry.storage.s3_inventory import S3Inventory
from tests.support.postgres import postgres_server
from tests.support.receiving import content
from tests.support.s3 import S3Server
from tests.unit.core.house import APP, CONFIG, image
from tests.unit.metadata.databases import new_database, quick_folder

COMBINATIONS = [f"{database}-{store}" for database in ("sqlite", "postgresql") for store in ("filesystem", "s3")]
NOW = timedelta(0)


@dataclass
class Watching:
    """A watcher that keeps what it is told."""

    tasks: list[str] = field(default_factory=list)
    steps: int = 0

    def begins(self, task: str, length: int) -> None:
        self.tasks.append(task)

    def advances(self, steps: int) -> None:
        self.steps += steps


@dataclass
class Site:
    """One registry. `execute` speaks to its database past all of our code."""

    metadata: Metadata
    store: ObjectStore
    inventory: StoreInventory
    execute: Callable[..., list[tuple[Any, ...]]]
    root: Path
    bucket: Bucket | None
    sparse: bool = False
    watching: Watching = field(default_factory=Watching)

    def __post_init__(self) -> None:
        self.admin = settle(self.metadata, lambda: "hash")[0].admin
        day = timedelta(days=1)
        self.uploads = UploadService(self.metadata, self.store, hashes(), lambda: str(uuid4()), new_key, day, day)
        self.blobs = BlobService(self.metadata, self.store, day, self.sparse)
        self.manifests = ManifestService(self.metadata, day, day, self.sparse)
        self.sweeper = Sweeper(self.metadata, self.store, Tenure(self.metadata, "sweep", str(uuid4())), NOW)

    def fsck(self, *, inventory: Any = None, store: Any = None, **allowed: Any) -> Report:
        """Everything counts, however young it is; `inventory` and `store` may be stand-ins."""
        asked = replace(Allowed(grace=NOW, sparse=self.sparse), **allowed)
        return Fsck(
            self.metadata, store or self.store, inventory or self.inventory, hashes(), asked, map, self.watching
        ).run()

    def found(self, **allowed: Any) -> dict[str, str]:
        """What fsck finds, with what came of it, where there is one of each kind."""
        return summed(self.fsck(**allowed))

    # Pushing

    def receive(self, uuid: str | None = None, name: RepositoryName = APP) -> tuple[str, Reception]:
        uuid = uuid or self.uploads.begin(name, self.admin)
        return uuid, self.uploads.receive(name, uuid, self.admin, None)

    def send(self, data: bytes, uuid: str | None = None) -> str:
        """Acknowledged, and the session still open."""
        uuid, reception = self.receive(uuid)
        reception.append([data])
        reception.acknowledge()
        reception.close()
        return uuid

    def commit(self, uuid: str, digest: Digest, name: RepositoryName = APP) -> None:
        _, reception = self.receive(uuid, name)
        reception.commit(digest, self.admin)
        reception.close()

    def push(self, data: bytes, name: RepositoryName = APP) -> Digest:
        """A blob; with an object of its own when it is large enough."""
        digest = Digest.of(data)
        if len(data) <= 4096:
            assert self.uploads.put_small(name, None, self.admin, digest, data)
            return digest
        _, reception = self.receive(None, name)
        reception.append([data])
        reception.commit(digest, self.admin)
        reception.close()
        return digest

    def push_image(self, tag: str, *layers: bytes, name: RepositoryName = APP) -> Digest:
        for each in (CONFIG, *layers):
            self.push(each, name)
        return self.push_manifest(image(*layers), tag, name)

    def push_manifest(self, manifest: bytes, tag: str, name: RepositoryName = APP) -> Digest:
        return self.manifests.put(name, Tag(tag), manifest, "", self.admin).digest

    # Asking

    def serves(self, digest: Digest, name: RepositoryName = APP) -> StoredBlob | None:
        repository = self.metadata.observe(lambda tx: tx.repositories.find(name))
        return self.metadata.observe(lambda tx: tx.links.find(repository, digest)) if repository else None

    def pulls(self, digest: Digest, name: RepositoryName = APP) -> bytes | None:
        """What a pull would get."""
        blob = self.serves(digest, name)
        if blob is None or blob.key is None:
            return blob.content if blob else None
        return content(self.store, blob.key)

    def key(self, digest: Digest) -> ObjectKey:
        """Of the object that a blob has, served or not."""
        ((key,),) = self.execute(
            "SELECT key FROM object JOIN blob ON object_id = object.id WHERE digest = ?", digest.packed
        )
        return ObjectKey(key)

    def states(self) -> list[str]:
        return sorted(state for (state,) in self.execute("SELECT state FROM object"))

    def used(self) -> dict[str, int]:
        return dict(self.execute("SELECT name, used FROM project"))

    # Damaging

    def put(self, data: bytes, name: str | None = None) -> str:
        """Bytes that no row names."""
        name = name or str(new_key())
        if self.bucket is not None:
            self.bucket.put(name, data)
        else:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return name

    def lose(self, key: ObjectKey) -> None:
        if self.bucket is not None:
            self.bucket.delete([object_path(key)])
        else:
            (self.root / object_path(key)).unlink()

    def forget(self, digest: Digest) -> ObjectKey:
        """Lose the rows of a blob, as an old copy of the database has; its object stays."""
        key = self.key(digest)
        self.execute("DELETE FROM link WHERE digest = ?", digest.packed)
        self.execute("DELETE FROM blob WHERE digest = ?", digest.packed)
        self.execute("DELETE FROM object WHERE key = ?", key.text)
        return key


def summed(report: Report) -> dict[str, str]:
    """Each kind once, with what came of it; the number where there are several."""
    found: dict[str, str] = {}
    for (what, outcome), count in report.counts.items():
        assert what not in found, report.counts
        found[what.value] = outcome.value if count == 1 else f"{count} {outcome.value}"
    return found


def reasons(report: Report) -> list[str]:
    return [finding.reason for finding, _ in report.found]


LEFT, MARKED, REPAIRED = (each.value for each in (Outcome.LEFT, Outcome.MARKED, Outcome.REPAIRED))


@contextmanager
def site(combination: str, s3: Callable[[], S3Server], *, sparse: bool = False) -> Iterator[Site]:
    """An empty one; `s3` is asked for where the store is one."""
    database, store = combination.split("-")
    with ExitStack() as stack:
        root = stack.enter_context(quick_folder())
        metadata, execute = stack.enter_context(_sqlite(root) if database == "sqlite" else _postgresql())
        if store == "filesystem":
            yield Site(metadata, FilesystemStore(root), FileInventory(root), execute, root, None, sparse)
            return
        settings: S3Settings = s3().new_place()
        objects, bucket = S3Store(settings), Bucket(settings)
        stack.callback(objects.close)
        objects.load_or_create_layout("an instance")
        yield Site(metadata, objects, S3Inventory(bucket), execute, root, bucket, sparse)


@contextmanager
def _sqlite(folder: Path) -> Iterator[tuple[Metadata, Callable[..., list[tuple[Any, ...]]]]]:
    path = new_database(folder)
    metadata = SqliteMetadata(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield metadata, lambda text, *values: connection.execute(text, values).fetchall()
    metadata.close()


@contextmanager
def _postgresql() -> Iterator[tuple[Metadata, Callable[..., list[tuple[Any, ...]]]]]:
    with postgres_server().database() as url, psycopg.connect(url, autocommit=True) as connection:
        metadata = PostgresMetadata(url, pool_size=4)

        def execute(text: str, *values: object) -> list[tuple[Any, ...]]:
            cursor = connection.execute(text.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []

        yield metadata, execute
        metadata.close()


@pytest.fixture(params=COMBINATIONS)
def combination(request: pytest.FixtureRequest) -> str:
    return str(request.param)
