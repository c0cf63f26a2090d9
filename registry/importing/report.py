"""What came of an import: what came, what was there already, and everything that is broken, each with its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from registry.core.printable import harmless
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName


class What(StrEnum):
    """What can be broken."""

    PATTERN = "pattern"
    REPOSITORY = "repository"
    MANIFEST = "manifest"
    TAG = "tag"
    BLOB = "blob"


class Taken(StrEnum):
    """How a blob came."""

    ADOPTED = "adopted"
    COPIED = "copied"
    PRESENT = "present"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that was not imported as it should be; `repository` is empty where it is none's."""

    what: What
    repository: str
    name: str
    reason: str

    def __str__(self) -> str:
        where = " ".join(harmless(each) for each in (self.repository, self.name) if each)
        return f"{self.what} {where}: {harmless(self.reason)}"


@dataclass(frozen=True, slots=True)
class Moved:
    """A tag that pointed elsewhere before; where it did can be seen in its history."""

    repository: str
    tag: str
    former: str
    now: str

    def __str__(self) -> str:
        return f"tag {self.repository} {self.tag}: moved from {self.former} to {self.now}"


@dataclass(slots=True)
class Report:
    """Counted while it happens. Bytes are those of blobs, by how they came."""

    repositories: int = 0
    manifests: int = 0
    manifests_present: int = 0
    tags: int = 0
    tags_present: int = 0
    unreferenced_layers: int = 0
    blobs: Counter[Taken] = field(default_factory=Counter)
    bytes: Counter[Taken] = field(default_factory=Counter)
    moved: list[Moved] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)

    def took(self, how: Taken, size: int) -> None:
        """One more blob."""
        self.blobs[how] += 1
        self.bytes[how] += size

    @property
    def bytes_taken(self) -> int:
        """Of blobs that were not there before."""
        return self.bytes.total() - self.bytes[Taken.PRESENT]

    def breaks(self, what: What, repository: RepositoryName, name: object, reason: str) -> None:
        """One more broken thing."""
        self.broken.append(Broken(what, str(repository), str(name), reason))

    def moves(self, repository: RepositoryName, tag: object, former: Digest, now: Digest) -> None:
        """A tag that we had, and that the source has for another manifest."""
        self.moved.append(Moved(str(repository), str(tag), str(former), str(now)))

    def add(self, other: Report) -> None:
        """What came of another repository."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "repositories": self.repositories,
            "manifests": {"imported": self.manifests, "present": self.manifests_present},
            "tags": {"set": self.tags, "present": self.tags_present},
            "blobs": {how.value: self.blobs[how] for how in Taken},
            "bytes": {how.value: self.bytes[how] for how in Taken},
            "unreferenced_layers": self.unreferenced_layers,
            "moved": [
                {"repository": each.repository, "tag": each.tag, "from": each.former, "to": each.now}
                for each in self.moved
            ],
            "broken": [
                {"what": each.what.value, "repository": each.repository, "name": each.name, "reason": each.reason}
                for each in self.broken
            ],
        }
