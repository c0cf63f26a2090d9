"""The rules over real parts: a database, a store, and whoever wants to push. Nothing of HTTP."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from registry.core.access import Access
from registry.core.accounts import Residents, settle
from registry.core.blobs import BlobService
from registry.core.facts import Caller, StoredBlob
from registry.core.manifests import ManifestService
from registry.core.ports import Hashes, ObjectStore
from registry.core.reception import Reception
from registry.core.rights import Right
from registry.core.sweep import Sweeper
from registry.core.tenure import Tenure
from registry.core.uploads import UploadService
from registry.metadata.sqlite import SqliteMetadata
from registry.oci.digest import Digest
from registry.oci.media_types import OCI_INDEX, OCI_MANIFEST
from registry.oci.names import RepositoryName, Tag
from registry.storage.filesystem import FilesystemStore
from registry.storage.hashing import hashes
from registry.storage.layout import new_key
from registry.storage.memory import MemoryStore
from tests.unit.metadata.databases import new_database

APP, OTHER, AWAY = RepositoryName("team/app"), RepositoryName("team/other"), RepositoryName("away/app")
CONFIG = b"{}"
LAYER_TYPE, CONFIG_TYPE = "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.config.v1+json"


@dataclass
class House:
    """One registry on one folder; `crash` is what a power cut or a kill leaves of it."""

    folder: Path
    in_memory: bool = True
    anonymous_pull: bool = False
    sparse: bool = False
    lease: timedelta = timedelta(days=1)
    expiry: timedelta = timedelta(hours=1)
    delete_delay: timedelta = timedelta(0)
    hashes: Hashes = field(default_factory=hashes)
    store: ObjectStore = field(init=False)

    def __post_init__(self) -> None:
        self.database = new_database(self.folder)
        self.store = MemoryStore() if self.in_memory else FilesystemStore(self.folder)
        self._open()

    def _open(self) -> None:
        self.metadata = SqliteMetadata(self.database)
        self._own_eyes = sqlite3.connect(self.database, isolation_level=None)
        self.residents: Residents = settle(self.metadata, lambda: "hash")[0]
        self.admin: Caller = self.residents.admin
        self.access = Access()
        self.uploads = UploadService(
            self.metadata, self.store, self.hashes, lambda: str(uuid4()), new_key, self.lease, self.expiry
        )
        self.blobs = BlobService(self.metadata, self.store, self.lease, self.sparse)
        self.manifests = ManifestService(self.metadata, self.lease, timedelta(days=7), self.sparse)
        tenure = Tenure(self.metadata, "sweep", str(uuid4()))
        self.sweeper = Sweeper(self.metadata, self.store, tenure, self.delete_delay)

    def crash(self) -> None:
        """Everything in this process's memory is gone, but for what a memory store keeps instead of a disk."""
        self.close()
        if not self.in_memory:
            self.store = FilesystemStore(self.folder)
        self._open()

    def close(self) -> None:
        self._own_eyes.close()
        self.metadata.close()

    # Pushing

    def begin(self, name: RepositoryName = APP) -> str:
        return self.uploads.begin(name, self.admin)

    def receive(self, uuid: str, digest: Digest | None = None, name: RepositoryName = APP) -> Reception:
        return self.uploads.receive(name, uuid, self.admin, None, digest)

    def push_blob(self, content: bytes, name: RepositoryName = APP, *, large: bool = False) -> Digest:
        """By one transaction; `large` by a session and an object, as what does not fit a row comes."""
        digest = Digest.of(content)
        if not large:
            assert self.uploads.put_small(name, None, self.admin, digest, content)
            return digest
        reception = self.receive(self.begin(name), digest, name)
        reception.append([content])
        reception.commit(digest, self.admin)
        reception.close()
        return digest

    def push_manifest(
        self, content: bytes, reference: str | None = None, name: RepositoryName = APP, **more: Any
    ) -> Digest:
        """By tag, or by its own digest."""
        where = Tag(reference) if reference else Digest.of(content)
        return self.manifests.put(name, where, content, "", self.admin, **more).digest

    def push_image(self, reference: str | None = None, name: RepositoryName = APP, *layers: bytes) -> Digest:
        """With everything that it needs."""
        for each in (CONFIG, *layers):
            self.push_blob(each, name)
        return self.push_manifest(image(*layers), reference, name)

    def mount(self, digest: Digest, source: RepositoryName | None, target: RepositoryName, caller: Caller) -> bool:
        """As the API does: from a source that the caller may read, or from whichever there is."""

        def readable(name: RepositoryName) -> bool:
            return self.access.granted(caller, Right.PULL, name)

        if source is None:
            source = self.blobs.find_source(digest, readable)
        if source is None or not readable(source):
            return False
        return self.blobs.mount(target, digest, source, caller) is not None

    # Asking

    def serves(self, digest: Digest, name: RepositoryName = APP) -> StoredBlob | None:
        repository = self.metadata.observe(lambda tx: tx.repositories.find(name))
        return self.metadata.observe(lambda tx: tx.links.find(repository, digest)) if repository else None

    def content(self, digest: Digest, name: RepositoryName = APP) -> bytes | None:
        """What a pull would get."""
        blob = self.serves(digest, name)
        if blob is None or blob.content is not None:
            return blob.content if blob else None
        assert blob.key is not None
        return self.store.pread(blob.key, 0, blob.size + 1)

    def resolve(self, reference: Tag | Digest, name: RepositoryName = APP) -> Digest | None:
        repository = self.metadata.observe(lambda tx: tx.repositories.find(name))
        return self.metadata.observe(lambda tx: tx.manifests.find(repository, reference)) if repository else None

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the tables say, asked by nobody's code but the test's."""
        return self._own_eyes.execute(query, values).fetchall()

    def used(self) -> dict[str, int]:
        """What each project is charged, by its counter."""
        return dict(self.rows("SELECT name, used FROM project"))

    def owed(self) -> dict[str, int]:
        """What each project should be charged by what its repositories hold, per kind and digest (design §4)."""
        held = self.rows(
            "SELECT project.name, 'blob', link.digest, blob.size FROM link, blob, repository, project"
            " WHERE blob.id = link.blob_id AND repository.id = link.repository_id AND project.id = project_id"
        ) + self.rows(
            "SELECT project.name, 'manifest', manifest.digest, length(bytes)"
            " FROM manifest, content, repository, project"
            " WHERE content.id = content_id AND repository.id = repository_id AND project.id = project_id"
        )
        sums = dict.fromkeys(self.used(), 0)
        for project, _, _, size in set(held):
            sums[project] += size
        return sums

    def states(self) -> list[str]:
        """Of every object that has a row."""
        return [row[0] for row in self.rows("SELECT state FROM object ORDER BY id")]


def descriptor(content: bytes, media_type: str = LAYER_TYPE) -> dict[str, object]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}


def image(*layers: bytes, subject: bytes | None = None, config: bytes = CONFIG) -> bytes:
    """A manifest; the bytes are its name, so the same parts are the same image."""
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, CONFIG_TYPE),
        "layers": [descriptor(each) for each in layers],
    }
    return json.dumps(document | ({"subject": descriptor(subject, OCI_MANIFEST)} if subject else {})).encode()


def index(*children: bytes) -> bytes:
    """An image index of manifests."""
    found: Sequence[object] = [descriptor(each, OCI_MANIFEST) for each in children]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}).encode()
