"""The tree that the CNCF distribution registry keeps (2.x, 3.x, and so Harbor's), read and never written.

docker/registry/v2/
├── repositories/<name>/
│   ├── _manifests/
│   │   ├── revisions/<algorithm>/<hex>/link     every manifest the repository serves; the file says its digest
│   │   └── tags/<tag>/current/link              where the tag points; beside it `index/`, what it pointed to before
│   ├── _layers/<algorithm>/<hex>/link           every blob that the repository serves, referenced or not
│   └── _uploads/                                sessions under way, of no concern here
└── blobs/<algorithm>/<2 hex>/<hex>/data         the bytes of both, once for all repositories

To delete is to remove the link and leave its folder: so a folder without a link is nothing, and no damage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from registry.importing.report import Broken, What
from registry.importing.source import SourceFile, Unreadable
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid, ManifestInvalid, NameInvalid
from registry.oci.names import RepositoryName, Tag

ROOT: Final = "docker/registry/v2"
REPOSITORIES: Final = "repositories"
_MARKS: Final = {"_manifests", "_layers"}
# The longest digest there is has 135 characters.
_LONGEST_LINK: Final = 256


class Files(Protocol):
    """Where a tree lies; paths are relative to its `v2` folder, with slashes. Every method raises: Unreadable."""

    def names(self, path: str) -> list[str]:
        """All that lies in a folder, sorted; nothing when there is no such folder."""
        ...

    def read(self, path: str, limit: int) -> bytes | None:
        """The whole file, which may have `limit` bytes; None when there is none."""
        ...

    def open(self, path: str) -> SourceFile | None:
        """None when there is no such file."""
        ...


@dataclass(frozen=True, slots=True)
class DistributionTree:
    """Each walk gives what it finds, and what is broken in its place among it."""

    files: Files

    def repositories(self) -> Iterator[RepositoryName | Broken]:
        """Every repository, depth first, by name."""
        waiting = [""]
        while waiting:
            text = waiting.pop()
            try:
                found = self.files.names(f"{REPOSITORIES}/{text}" if text else REPOSITORIES)
            except Unreadable as error:
                yield Broken(What.REPOSITORY, text, "", str(error))
                continue
            if _MARKS.intersection(found):
                yield _named(text)
            # Folders that links have tied into a circle end where the kernel follows no further.
            inner = [f"{text}/{each}" if text else each for each in found if not each.startswith(("_", "."))]
            waiting += reversed(inner)

    def revision_count(self, name: RepositoryName) -> int:
        """About how many manifests there are: only folders are counted, and what cannot be read counts as none."""
        path = f"{REPOSITORIES}/{name}/_manifests/revisions"
        try:
            return sum(len(self.files.names(f"{path}/{each}")) for each in self.files.names(path))
        except Unreadable:
            return 0

    def revisions(self, name: RepositoryName) -> Iterator[Digest | Broken]:
        """Every manifest that the repository serves, tagged or not."""
        return self._linked(What.MANIFEST, name, "_manifests/revisions")

    def layers(self, name: RepositoryName) -> Iterator[Digest | Broken]:
        """Every blob that the repository serves."""
        return self._linked(What.BLOB, name, "_layers")

    def tags(self, name: RepositoryName) -> Iterator[tuple[Tag, Digest] | Broken]:
        """Every tag, and where its link points, whether or not there is something."""
        path = f"{REPOSITORIES}/{name}/_manifests/tags"
        try:
            found = self.files.names(path)
        except Unreadable as error:
            yield Broken(What.REPOSITORY, str(name), "", f"its tags: {error}")
            return
        for each in found:
            try:
                tag, digest = Tag.parse(each), self._link(f"{path}/{each}/current/link")
            except ManifestInvalid:
                yield Broken(What.TAG, str(name), each, "not a tag")
            except Unreadable as error:
                yield Broken(What.TAG, str(name), each, str(error))
            else:
                yield (tag, digest) if digest else Broken(What.TAG, str(name), each, "it has no current link")

    def has_layer(self, name: RepositoryName, digest: Digest) -> bool:
        """Whether the repository serves this blob. Raises: Unreadable."""
        return self._is_linked(f"{REPOSITORIES}/{name}/_layers/{digest.algorithm}/{digest.hex}/link", digest)

    def manifest(self, digest: Digest, limit: int) -> bytes | None:
        """Its bytes, as they lie there. Raises: Unreadable."""
        return self.files.read(_data(digest), limit)

    def blob(self, digest: Digest) -> SourceFile | None:
        """Its bytes, to be read once. Raises: Unreadable."""
        return self.files.open(_data(digest))

    def _linked(self, what: What, name: RepositoryName, folder: str) -> Iterator[Digest | Broken]:
        """The digests whose folders hold a link that says the same."""
        path = f"{REPOSITORIES}/{name}/{folder}"
        try:
            algorithms = self.files.names(path)
        except Unreadable as error:
            yield Broken(What.REPOSITORY, str(name), "", f"its {what}s: {error}")
            return
        for algorithm in algorithms:
            try:
                texts = self.files.names(f"{path}/{algorithm}")
            except Unreadable as error:
                yield Broken(What.REPOSITORY, str(name), "", f"its {what}s, {algorithm}: {error}")
                continue
            for text in texts:
                yield from self._found(what, name, f"{algorithm}:{text}", f"{path}/{algorithm}/{text}/link")

    def _found(self, what: What, name: RepositoryName, text: str, path: str) -> Iterator[Digest | Broken]:
        """The digest that a folder is named for, unless its link was removed."""
        try:
            digest = Digest.parse(text)
            if self._is_linked(path, digest):
                yield digest
        except DigestInvalid:
            yield Broken(what, str(name), text, "not a digest")
        except Unreadable as error:
            yield Broken(what, str(name), text, str(error))

    def _is_linked(self, path: str, digest: Digest) -> bool:
        link = self._link(path)
        if link is not None and link != digest:
            raise Unreadable(f"its link says {link}")
        return link is not None

    def _link(self, path: str) -> Digest | None:
        """What a link says; None when it was removed. Raises: Unreadable."""
        text = self.files.read(path, _LONGEST_LINK)
        if text is None:
            return None
        if not text:
            raise Unreadable("its link is empty")
        try:
            return Digest.parse(text.decode("ascii"))
        except (DigestInvalid, UnicodeDecodeError):
            raise Unreadable("its link holds no digest") from None


def _named(text: str) -> RepositoryName | Broken:
    try:
        return RepositoryName.parse(text)
    except NameInvalid:
        return Broken(What.REPOSITORY, text, "", "not a repository name")


def _data(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex[:2]}/{digest.hex}/data"
