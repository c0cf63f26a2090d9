"""The registry as a few dictionaries: what every act may come to, and what is there afterwards.

Instants are whole hours of the test's own clock. Each act answers with the error that it must be refused with, or None;
what it changes is what stands in the tables when it has been done, rows that nobody is shown included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Self

from registry.core.refusals import DeletedRepositoryUnknown, NotRestorable
from registry.oci.digest import Digest
from registry.oci.errors import (
    BlobUnknown,
    ManifestPartsUnknown,
    ManifestUnknown,
    NameUnknown,
    NotAllowed,
)
from registry.oci.manifest import Kind, parse_manifest
from registry.oci.names import RepositoryName, Tag

LEASE: Final = 24
WINDOW: Final = 169

Refusal = type[Exception] | tuple[type[Exception], ...] | None


# A repository that nothing was ever pushed to goes by itself, sooner or later: who asks for its past cannot know.
_NOWHERE: Final = (NameUnknown, ManifestUnknown)


@dataclass
class Link:
    """A blob that a repository serves, or has deleted."""

    lease: int
    is_hidden: bool = False


@dataclass(frozen=True)
class Document:
    """What a manifest holds: blobs, children, and what it is about."""

    digest: Digest
    blobs: frozenset[Digest]
    children: frozenset[Digest]
    subject: Digest | None

    @classmethod
    def of(cls, content: bytes) -> Self:
        manifest = parse_manifest(content, "")
        blobs = {each.digest for each in manifest.references if each.kind in {Kind.CONFIG, Kind.LAYER}}
        children = {each.digest for each in manifest.references if each.kind is Kind.CHILD}
        return cls(Digest.of(content), frozenset(blobs), frozenset(children), manifest.subject)


@dataclass
class Shelf:
    """One repository: `manifests` tells when each was deleted, `past` what each tag was, the latest last."""

    documents: dict[Digest, Document]
    links: dict[Digest, Link] = field(default_factory=dict)
    manifests: dict[Digest, int | None] = field(default_factory=dict)
    tags: dict[Tag, Digest] = field(default_factory=dict)
    past: dict[Tag, list[Digest]] = field(default_factory=dict)
    name: RepositoryName | None = None
    deleted: int | None = None
    uuid: str = ""
    """Of one that was deleted."""

    # What holds by now

    def is_over(self, now: int) -> bool:
        """Whether nothing restores it any more."""
        return self.deleted is not None and self.deleted + WINDOW <= now

    def serves(self, digest: Digest) -> bool:
        return digest in self.links and not self.links[digest].is_hidden

    def shows(self, digest: Digest) -> bool:
        return self.manifests.get(digest, 0) is None

    def visible(self) -> Iterable[Document]:
        return [self.documents[digest] for digest in self.manifests if self.shows(digest)]

    def kept(self) -> Iterable[Document]:
        return [self.documents[digest] for digest in self.manifests]

    def lacks(self, digest: Digest) -> bool:
        document = self.documents[digest]
        return not (all(map(self.serves, document.blobs)) and all(map(self.shows, document.children)))

    # Acts

    def delete_blob(self, digest: Digest) -> Refusal:
        if not self.serves(digest):
            return BlobUnknown
        if any(digest in each.blobs for each in self.visible()):
            return NotAllowed
        self.links[digest].is_hidden = True
        return None

    def delete_manifest(self, digest: Digest, now: int) -> Refusal:
        if not self.shows(digest):
            return ManifestUnknown
        if any(digest in each.children for each in self.visible()):
            return NotAllowed
        for part in self.documents[digest].blobs & self.links.keys():
            self.links[part].lease = now + LEASE
        self.tags = {tag: pointed for tag, pointed in self.tags.items() if pointed != digest}
        self.manifests[digest] = now
        return None

    def restore_manifest(self, digest: Digest, now: int) -> Refusal:
        if digest not in self.manifests:
            return _NOWHERE
        # With its children, before it.
        comes = [each for each in (*self.documents[digest].children, digest) if self.manifests.get(each) is not None]
        back = replace(self, manifests=self.manifests | dict.fromkeys(comes))
        if any(self._is_over(each, now) for each in comes) or any(map(back.lacks, comes)):
            return NotRestorable
        self.manifests = back.manifests
        return None

    def restore_tag(self, tag: Tag, now: int) -> Refusal:
        former = next((each for each in reversed(self.past.get(tag, [])) if each != self.tags.get(tag)), None)
        refusal = _NOWHERE if former is None else self.restore_manifest(former, now)
        if former is not None and refusal is None:
            self.point(tag, former)
        return refusal

    def point(self, tag: Tag, digest: Digest) -> None:
        if self.tags.get(tag) != digest:
            self.past.setdefault(tag, []).append(digest)
            self.tags[tag] = digest

    def collect(self, now: int) -> None:
        if self.is_over(now):
            self.manifests, self.tags, self.past = {}, {}, {}
        while gone := [each for each in self.manifests if self._is_over(each, now) and not self._is_child(each)]:
            for digest in gone:
                del self.manifests[digest]
                self._delete_referrers(digest, now)
        held = {part for each in self.kept() for part in each.blobs}
        self.links = {digest: link for digest, link in self.links.items() if digest in held or link.lease > now}

    def _is_over(self, digest: Digest, now: int) -> bool:
        deleted = self.manifests[digest]
        return deleted is not None and deleted + WINDOW <= now

    def _is_child(self, digest: Digest) -> bool:
        return any(digest in each.children for each in self.kept())

    def _delete_referrers(self, subject: Digest, now: int) -> None:
        for each in self.visible():
            if each.subject == subject and each.digest not in self.tags.values() and not self._is_child(each.digest):
                self.manifests[each.digest] = now


@dataclass(frozen=True)
class State:
    """Rows, by name of their repository, or by uuid where that is deleted: links, manifests, tags."""

    links: dict[tuple[str, Digest], tuple[int | None, bool]]
    manifests: dict[tuple[str, Digest], int | None]
    tags: dict[tuple[str, str], Digest]


@dataclass
class Reference:
    """All repositories, those that are deleted apart."""

    documents: dict[Digest, Document]
    now: int = 0
    shelves: dict[RepositoryName, Shelf] = field(default_factory=dict)
    gone: list[Shelf] = field(default_factory=list)

    def put_blob(self, name: RepositoryName, digest: Digest) -> Refusal:
        self._shelf(name).links[digest] = Link(self.now + LEASE)
        return None

    def mount(self, name: RepositoryName, digest: Digest, source: RepositoryName) -> Refusal:
        return self.put_blob(name, digest) if self.serves(source, digest) else None

    def renew(self, name: RepositoryName, digest: Digest) -> Refusal:
        return self.put_blob(name, digest) if self.serves(name, digest) else BlobUnknown

    def delete_blob(self, name: RepositoryName, digest: Digest) -> Refusal:
        return self.shelves[name].delete_blob(digest) if name in self.shelves else BlobUnknown

    def put_manifest(self, name: RepositoryName, digest: Digest, tag: Tag | None) -> Refusal:
        shelf = self.shelves.get(name) or Shelf(self.documents, name=name)
        if shelf.lacks(digest):
            return ManifestPartsUnknown
        self.shelves[name] = shelf
        shelf.manifests[digest] = None
        if tag is not None:
            shelf.point(tag, digest)
        return None

    def delete_manifest(self, name: RepositoryName, digest: Digest) -> Refusal:
        return self.shelves[name].delete_manifest(digest, self.now) if name in self.shelves else ManifestUnknown

    def delete_tag(self, name: RepositoryName, tag: Tag) -> Refusal:
        shelf = self.shelves.get(name)
        return None if shelf and shelf.tags.pop(tag, None) else ManifestUnknown

    def restore_manifest(self, name: RepositoryName, digest: Digest) -> Refusal:
        return self.shelves[name].restore_manifest(digest, self.now) if name in self.shelves else _NOWHERE

    def restore_tag(self, name: RepositoryName, tag: Tag) -> Refusal:
        return self.shelves[name].restore_tag(tag, self.now) if name in self.shelves else _NOWHERE

    def delete_repository(self, name: RepositoryName) -> Refusal:
        if name not in self.shelves:
            return NameUnknown
        shelf = self.shelves.pop(name)
        shelf.deleted, shelf.uuid = self.now, ""
        self.gone.append(shelf)
        return None

    def restore_repository(self, uuid: str, name: RepositoryName, *, is_taken: bool) -> Refusal:
        """`is_taken`: whether there is one of this name, which may hold nothing and come and go by itself."""
        shelf = next((each for each in self.gone if each.uuid == uuid), None)
        if shelf is None:
            return DeletedRepositoryUnknown
        if shelf.is_over(self.now) or is_taken:
            return NotRestorable
        self.gone.remove(shelf)
        shelf.deleted, shelf.name = None, name
        self.shelves[name] = shelf
        return None

    def collect(self) -> None:
        """Until there is nothing more to take by now."""
        for shelf in (*self.shelves.values(), *self.gone):
            shelf.collect(self.now)
        self.gone = [each for each in self.gone if each.links or not each.is_over(self.now)]

    def state(self) -> State:
        """As `facts` tells what is in the tables."""
        named = {str(name): shelf for name, shelf in self.shelves.items()} | {each.uuid: each for each in self.gone}
        return State(
            {
                (key, part): (link.lease, link.is_hidden)
                for key, each in named.items()
                for part, link in each.links.items()
            },
            {(key, digest): deleted for key, each in named.items() for digest, deleted in each.manifests.items()},
            {(key, str(tag)): digest for key, each in named.items() for tag, digest in each.tags.items()},
        )

    def serves(self, name: RepositoryName, digest: Digest) -> bool:
        return name in self.shelves and self.shelves[name].serves(digest)

    def holds_anything(self, name: RepositoryName) -> bool:
        return name in self.shelves and bool(self.shelves[name].links)

    def _shelf(self, name: RepositoryName) -> Shelf:
        return self.shelves.setdefault(name, Shelf(self.documents, name=name))
