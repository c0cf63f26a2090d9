"""An import that goes nowhere: everything is read and verified, nothing is written, no data folder is needed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from registry.importing.report import Taken
from registry.importing.source import SourceFile, SourceManifest
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid, ManifestPartsUnknown
from registry.oci.manifest import Kind, parse_manifest
from registry.oci.names import RepositoryName, Tag


@dataclass(slots=True)
class Rehearsal:
    """`Destination` that is empty at first, and remembers names and sizes of what it was given."""

    _sizes: dict[Digest, int] = field(default_factory=dict)
    _blobs: set[tuple[RepositoryName, Digest]] = field(default_factory=set)
    _manifests: set[tuple[RepositoryName, Digest]] = field(default_factory=set)

    def find(self, name: RepositoryName, reference: Tag | Digest) -> Digest | None:
        """See the port: nothing is there."""

    def size(self, name: RepositoryName, digest: Digest) -> int | None:
        """See the port."""
        return self._sizes[digest] if (name, digest) in self._blobs else None

    def take(self, name: RepositoryName, digest: Digest, file: SourceFile) -> Taken:
        """See the port. Raises: DigestInvalid, Unreadable."""
        how = Taken.PRESENT
        if digest not in self._sizes:
            self._sizes[digest] = _verified(digest, file)
            how = Taken.VERIFIED
        self._blobs.add((name, digest))
        return how

    def put(self, name: RepositoryName, digest: Digest, manifest: SourceManifest, tags: Sequence[Tag]) -> None:  # noqa: ARG002  a tag needs nothing but its manifest
        """See the port. Raises: ManifestPartsUnknown."""
        required = [
            each for each in parse_manifest(manifest.content, manifest.media_type).references if each.is_required
        ]
        missing = {
            each.digest
            for each in required
            if (name, each.digest) not in (self._manifests if each.kind is Kind.CHILD else self._blobs)
        }
        if missing:
            # In the order in which the registry would tell them.
            raise ManifestPartsUnknown(digests=[str(each) for each in sorted(missing)])
        self._manifests.add((name, digest))


def _verified(digest: Digest, file: SourceFile) -> int:
    """The number of bytes, which are the right ones. Raises: DigestInvalid, Unreadable."""
    computing, size = hashlib.new(digest.algorithm), 0
    for chunk in file.chunks():
        computing.update(chunk)
        size += len(chunk)
    computed = Digest(digest.algorithm, computing.hexdigest())
    if computed != digest:
        raise DigestInvalid(digest=str(digest), computed=str(computed))
    return size
