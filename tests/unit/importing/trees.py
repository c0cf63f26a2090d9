"""A CNCF distribution's storage tree, written as that registry writes it, and damaged as disks and people do it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from registry.importing.folder import Folder
from registry.importing.stored import StoredRegistry
from registry.importing.tree import ROOT, DistributionTree
from tests.support.images import Blob, Pushable, TinyImage


@dataclass(frozen=True)
class WrittenTree:
    """The root folder, as the registry's configuration names it."""

    root: Path

    @property
    def v2(self) -> Path:
        return self.root / ROOT

    @property
    def tree(self) -> DistributionTree:
        return DistributionTree(Folder(self.v2))

    @property
    def source(self) -> StoredRegistry:
        return StoredRegistry(self.tree)

    def push(self, name: str, image: Pushable, *tags: str) -> None:
        """Everything in it, the manifest's revision, and each tag."""
        if isinstance(image, TinyImage):
            for blob in image.blobs:
                self.push_blob(name, blob)
        else:
            for child in image.children:
                self.push(name, child)
        self.write_data(image.digest, image.manifest)
        self.write(self.revision(name, image.digest), image.digest.encode())
        for tag in tags:
            self.write(self.tag(name, tag), image.digest.encode())

    def push_blob(self, name: str, blob: Blob) -> None:
        self.write_data(blob.digest, blob.data)
        self.write(self.layer(name, blob.digest), blob.digest.encode())

    def write_data(self, digest: str, data: bytes) -> None:
        self.write(self.data(digest), data)

    def write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def data(self, digest: str) -> Path:
        algorithm, _, text = digest.partition(":")
        return self.v2 / "blobs" / algorithm / text[:2] / text / "data"

    def revision(self, name: str, digest: str) -> Path:
        return self.v2 / "repositories" / name / "_manifests" / "revisions" / digest.replace(":", "/") / "link"

    def tag(self, name: str, tag: str) -> Path:
        return self.v2 / "repositories" / name / "_manifests" / "tags" / tag / "current" / "link"

    def layer(self, name: str, digest: str) -> Path:
        return self.v2 / "repositories" / name / "_layers" / digest.replace(":", "/") / "link"

    def flip(self, digest: str) -> None:
        """One bit of its data, in the middle."""
        data = bytearray(self.data(digest).read_bytes())
        data[len(data) // 2] ^= 1
        self.data(digest).write_bytes(data)

    def cut(self, digest: str) -> int:
        """The second half of its data is gone; how many bytes are left."""
        size = self.data(digest).stat().st_size // 2
        os.truncate(self.data(digest), size)
        return size

    def state(self) -> dict[str, tuple[int, int, int, bytes]]:
        """Everything that could be changed about every file."""
        return {
            str(path): (facts.st_mode, facts.st_uid, facts.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
            for path in sorted(self.root.rglob("*"))
            for facts in [path.stat()]
        }
