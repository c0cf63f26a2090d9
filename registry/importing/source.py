"""Where an import comes from: another registry, as far as it can be read, and the words for where it cannot.

What there is to know of one repository is surveyed at once, for the two sources find it in opposite ways: a storage
tree lists every manifest, and a registry over HTTP only tags, from which all else is reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from registry.importing.report import Broken
from registry.oci.digest import Digest
from registry.oci.manifest import Reference
from registry.oci.names import RepositoryName, Tag


class Unreadable(Exception):
    """The source does not give what it should; the message is the reason, in words for a report."""


class Absent(Unreadable):
    """The repository does not serve it: the reason for what needs it, and none for what may be left out."""


class Lost(Exception):
    """The source does not answer any more; the next question would fare no better."""


class SourceFile(Protocol):
    """An open file of the source."""

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    def fileno(self) -> int | None:
        """Its descriptor, open for reading, where it is a file of this machine."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Its bytes from the beginning. Raises: Unreadable, also when it changes meanwhile."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class SourceManifest:
    """A manifest's own bytes, and what the source says they are; empty where it does not."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Survey:
    """One repository: the manifests that can be read, with what each needs, and everything that is broken."""

    manifests: Mapping[Digest, tuple[Reference, ...]]
    tags: Sequence[tuple[Tag, Digest]]
    """Where each points, whether or not there is something."""
    broken: Sequence[Broken]
    blobs: Sequence[Digest | Broken] = ()
    """All that the repository serves, where that can be known."""


class Source(Protocol):
    """Another registry. Every method raises: Lost; it is asked by one thread, and for blobs by several."""

    def repositories(self) -> Iterator[RepositoryName | Broken]:
        """Every repository, and what is broken in its place among them. Raises: Unreadable when they are not told."""
        ...

    def manifest_count(self, name: RepositoryName) -> int | None:
        """About how many manifests there are; None where that is not known before a survey."""
        ...

    def survey(self, name: RepositoryName, limit: int) -> Survey:
        """Reads every manifest of at most `limit` bytes, and no blob."""
        ...

    def manifest(self, name: RepositoryName, digest: Digest, limit: int) -> SourceManifest:
        """One that was surveyed, verified. Raises: Unreadable."""
        ...

    def blob(self, name: RepositoryName, blob: Reference) -> SourceFile:
        """Its bytes, to be read once. Raises: Absent, Unreadable; those may also come with the first of the bytes."""
        ...
