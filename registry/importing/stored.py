"""`Source` over a distribution's storage tree: everything is listed, and a link says what a repository serves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from registry.importing.plan import references_of
from registry.importing.report import Broken, What
from registry.importing.source import Absent, SourceFile, SourceManifest, Survey, Unreadable
from registry.importing.tree import DistributionTree
from registry.oci.digest import Digest
from registry.oci.manifest import Reference
from registry.oci.names import RepositoryName, Tag


@dataclass(frozen=True, slots=True)
class StoredRegistry:
    """What is damaged is told once, where it lies."""

    tree: DistributionTree

    def repositories(self) -> Iterator[RepositoryName | Broken]:
        """See the port."""
        return self.tree.repositories()

    def manifest_count(self, name: RepositoryName) -> int:
        """See the port."""
        return self.tree.revision_count(name)

    def survey(self, name: RepositoryName, limit: int) -> Survey:
        """See the port; what has no tag is found too."""
        broken: list[Broken] = []
        manifests: dict[Digest, tuple[Reference, ...]] = {}
        for each in self.tree.revisions(name):
            if isinstance(each, Broken):
                broken.append(each)
                continue
            try:
                manifests[each] = references_of(self.manifest(name, each, limit))
            except Unreadable as error:
                broken.append(Broken(What.MANIFEST, str(name), str(each), str(error)))
        tags: list[tuple[Tag, Digest]] = []
        for tag in self.tree.tags(name):
            if isinstance(tag, Broken):
                broken.append(tag)
            else:
                tags.append(tag)
        return Survey(manifests, tags, broken, list(self.tree.layers(name)))

    def manifest(self, name: RepositoryName, digest: Digest, limit: int) -> SourceManifest:  # noqa: ARG002  bytes lie once for all
        """See the port; the tree keeps no media type, so the document must tell. Raises: Unreadable."""
        content = self.tree.manifest(digest, limit)
        if content is None:
            raise Unreadable("its data is missing")
        computed = Digest.of(content, digest.algorithm)
        if computed != digest:
            raise Unreadable(f"its data is {computed}, {len(content)} bytes")
        return SourceManifest(content, "")

    def blob(self, name: RepositoryName, blob: Reference) -> SourceFile:
        """See the port. Raises: Absent, Unreadable."""
        if not self.tree.has_layer(name, blob.digest):
            # Somebody may have deleted it here, and meant it: its bytes being there is no reason to serve it.
            raise Absent("it is not linked in this repository")
        file = self.tree.blob(blob.digest)
        if file is None:
            raise Unreadable("its data is missing")
        return file
