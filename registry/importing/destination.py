"""Where an import goes: this registry, through the services that serve clients too, so it may be serving meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from registry.core.blobs import BlobService
from registry.core.facts import SMALL, Caller, StoredBlob
from registry.core.manifests import MOST_TAGS, ManifestService
from registry.core.ports import Metadata, ObjectStore, Transaction
from registry.core.reception import Reception
from registry.core.uploads import UploadService
from registry.importing.adopt import Adopter, AdoptingStore, NotAdoptable
from registry.importing.report import Taken
from registry.importing.source import SourceFile, SourceManifest
from registry.oci.digest import Digest
from registry.oci.errors import UploadUnknown
from registry.oci.names import RepositoryName, Tag


class Destination(Protocol):
    """What an import asks of where it goes."""

    def find(self, name: RepositoryName, reference: Tag | Digest) -> Digest | None:
        """The manifest that is there under this tag or digest."""
        ...

    def size(self, name: RepositoryName, digest: Digest) -> int | None:
        """Of a blob that the repository serves, whole, and for long enough to push a manifest; None for any other."""
        ...

    def take(self, name: RepositoryName, digest: Digest, file: SourceFile) -> Taken:
        """Serve the file's bytes in this repository, once they are read and have this digest.

        Raises: DigestInvalid, Unreadable; StorageFull.
        """
        ...

    def put(self, name: RepositoryName, digest: Digest, manifest: SourceManifest, tags: Sequence[Tag]) -> None:
        """Keep a manifest, under these tags. Raises: ManifestPartsUnknown, ManifestInvalid; StorageFull."""
        ...


@dataclass(slots=True)
class RegistryDestination:
    """`Destination`; without an `adopter` every blob is copied."""

    metadata: Metadata
    store: ObjectStore
    uploads: UploadService
    blobs: BlobService
    manifests: ManifestService
    caller: Caller
    adopter: Adopter | None
    _refused: bool = field(default=False, init=False)

    def find(self, name: RepositoryName, reference: Tag | Digest) -> Digest | None:
        """See the port."""

        def look(tx: Transaction) -> Digest | None:
            repository = tx.repositories.find(name)
            return tx.manifests.find(repository, reference) if repository else None

        return self.metadata.observe(look)

    def size(self, name: RepositoryName, digest: Digest) -> int | None:
        """See the port."""

        def look(tx: Transaction) -> tuple[StoredBlob, bool] | None:
            repository = tx.repositories.find(name)
            blob = tx.links.find(repository, digest) if repository else None
            return (blob, tx.now >= self.blobs.due(blob)) if blob else None

        found = self.metadata.observe(look)
        if found is None:
            return None
        blob, is_due = found
        if blob.key is not None and self.store.size(blob.key) != blob.size:
            # To be taken again, which heals it.
            return None
        if is_due:
            # As for a client that asks whether it must push: what exists stays until the manifest is there.
            self.blobs.renew(name, digest)
        return blob.size

    def take(self, name: RepositoryName, digest: Digest, file: SourceFile) -> Taken:
        """See the port."""
        source = self.blobs.find_source(digest, lambda _: True)
        if source is not None and self.blobs.mount(name, digest, source, self.caller):
            return Taken.PRESENT
        if file.size <= SMALL:
            self.uploads.put_small(name, None, self.caller, digest, b"".join(file.chunks()))
            return Taken.COPIED
        return self._adopted(name, digest, file) or self._copied(name, digest, file)

    def put(self, name: RepositoryName, digest: Digest, manifest: SourceManifest, tags: Sequence[Tag]) -> None:
        """See the port; what is more than one push may carry comes with the next."""
        for start in range(0, max(len(tags), 1), MOST_TAGS):
            some = tags[start : start + MOST_TAGS]
            self.manifests.put(name, digest, manifest.content, manifest.media_type, self.caller, tags=some)

    def _copied(self, name: RepositoryName, digest: Digest, file: SourceFile) -> Taken:
        self._push(self.uploads, name, digest, file)
        return Taken.COPIED

    def _adopted(self, name: RepositoryName, digest: Digest, file: SourceFile) -> Taken | None:
        """None where the file has to be copied after all."""
        descriptor = file.fileno()
        if descriptor is None or self.adopter is None or self._refused or not self.adopter.may(descriptor):
            return None
        store = AdoptingStore(self.store, self.adopter, descriptor)
        try:
            self._push(replace(self.uploads, store=store), name, digest, file)
        except NotAdoptable:
            # Bind mounts and protected links look well until they are tried; the next files would be read twice too.
            self._refused = True
            return None
        return Taken.ADOPTED

    def _push(self, uploads: UploadService, name: RepositoryName, digest: Digest, file: SourceFile) -> None:
        """By an upload session like any other: what a kill leaves is an idle session, and the sweeper ends those."""
        uuid = uploads.begin(name, self.caller, digest.algorithm)
        try:
            reception = uploads.receive(name, uuid, self.caller, None, digest)
            try:
                self._fill(reception, file)
                reception.commit(digest, self.caller)
            finally:
                reception.close()
        except BaseException:
            with suppress(UploadUnknown):
                uploads.cancel(name, uuid, self.caller)
            raise

    def _fill(self, reception: Reception, file: SourceFile) -> None:
        half = self.uploads.expiry.total_seconds() / 2
        due = time.monotonic() + half
        for chunk in file.chunks():
            reception.append([chunk])
            if time.monotonic() >= due:
                # Else a sweeper would take the session for idle before a very large blob is read.
                reception.acknowledge()
                due = time.monotonic() + half
