"""An import into a registry without HTTP, and what that registry serves afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from registry.importing.adopt import Adopter, FolderAdopter
from registry.importing.destination import RegistryDestination
from registry.importing.report import Report
from registry.importing.run import Import
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag
from tests.support.images import Pushable, TinyImage
from tests.unit.core.house import House
from tests.unit.importing.trees import WrittenTree

LIMIT = 4 << 20


@dataclass
class Watching:
    """A watcher that keeps what it is told."""

    begun: tuple[int, int | None] = (0, 0)
    advanced: int = 0
    read: list[int] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def begins(self, repositories: int, manifests: int | None) -> None:
        self.begun = (repositories, manifests)

    def reads(self, name: RepositoryName, size: int) -> None:
        self.read.append(size)

    def advances(self, manifests: int) -> None:
        self.advanced += manifests

    def finished(self, name: RepositoryName, report: Report) -> None:
        self.done.append(str(name))


def destination(house: House, adopter: Adopter | None = None) -> RegistryDestination:
    return RegistryDestination(
        house.metadata,
        house.store,
        house.uploads,
        house.blobs,
        house.manifests,
        house.admin,
        adopter or FolderAdopter(house.folder),
    )


def run(
    house: House,
    written: WrittenTree,
    *patterns: str,
    adopter: Adopter | None = None,
    watcher: Watching | None = None,
) -> Report:
    importing = Import(written.source, destination(house, adopter), LIMIT, 2, watcher or Watching())
    return importing.run(patterns)


def sums(report: Report) -> dict[str, int]:
    """The numbers of a report that are not 0."""
    document = report.document()
    found = {name: document[name] for name in ("repositories", "unreferenced_layers")}
    found |= {f"{group} {name}": n for group in ("manifests", "tags", "blobs") for name, n in document[group].items()}
    return {name: number for name, number in found.items() if number}


def reasons(report: Report) -> list[tuple[str, str, str]]:
    """Everything that is broken, without its repository."""
    return [(each.what.value, each.name, each.reason) for each in report.broken]


def serves(house: House, name: str, image: Pushable, tags: Sequence[str] = ()) -> bool:
    """Whether everything in it comes byte for byte, and every tag points to it."""
    repository, digest = RepositoryName(name), Digest.parse(image.digest)
    stored = house.rows(
        "SELECT bytes FROM manifest, content, repository WHERE content.id = content_id AND manifest.digest = ?"
        " AND repository.id = repository_id AND repository.name = ?",
        digest.packed,
        name,
    )
    whole = stored == [(image.manifest,)] and house.resolve(digest, repository) == digest
    whole = whole and all(house.resolve(Tag(tag), repository) == digest for tag in tags)
    if not isinstance(image, TinyImage):
        return whole and all(serves(house, name, child) for child in image.children)
    return whole and all(house.content(Digest.parse(each.digest), repository) == each.data for each in image.blobs)
