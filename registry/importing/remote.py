"""`Source` over HTTP: a registry as its clients see it.

    tags ──▶ manifests ──┬─▶ children of indexes, subjects ──▶ …
                         └─▶ referrers of each ──▶ …

What no tag leads to cannot be found. Older registries have no referrers API, and keep referrers under a tag of the
subject's digest: a tag like any other, so that those come as well. Manifests are read in waves, each by several
threads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Self, TypeVar

from registry.client.errors import NotFound, Refused, RemoteError, Unanswered
from registry.client.registry import Registry
from registry.importing.plan import references_of
from registry.importing.report import Broken, What
from registry.importing.source import Absent, Lost, SourceManifest, Survey, Unreadable
from registry.oci.digest import Digest
from registry.oci.errors import ManifestInvalid, NameInvalid
from registry.oci.manifest import Kind, Reference
from registry.oci.names import RepositoryName, Tag

_MOST_MANIFESTS: Final = 1_000_000
_KEPT: Final = 64 << 20
# What waits in a pool costs ten times as much memory as what will come of it.
_AT_ONCE: Final = 1000
Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """`SourceFile`; nothing is asked for before the first byte is wanted, as we may have it from elsewhere."""

    registry: RemoteRegistry
    name: RepositoryName
    blob: Reference

    @property
    def size(self) -> int:
        """As its manifest says; any other is refused."""
        return self.blob.size

    def fileno(self) -> None:
        """See the port."""

    def chunks(self) -> Iterator[bytes]:
        """See the port. Raises: Absent, Unreadable, Lost."""
        try:
            yield from self.registry.behind.blob(self.name, self.blob.digest, self.blob.size)
        except NotFound as error:
            raise Absent(str(error)) from None
        except RemoteError as error:
            raise Unreadable(self.registry.reason(error)) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """The bytes close what they came by."""


class RemoteRegistry:
    """Asked for `names` alone, where any are given: many registries do not tell what they have."""

    def __init__(self, behind: Registry, threads: int, names: Sequence[str] = ()) -> None:
        self.behind = behind
        self._threads = threads
        self._names = names
        self._has_referrers = True
        self._kept = _Kept()

    def repositories(self) -> Iterator[RepositoryName | Broken]:
        """See the port. Raises: Unreadable, Lost."""
        try:
            listed = dict.fromkeys(self._names or self.behind.catalog())
        except Refused as error:
            raise Unreadable(f"it does not list its repositories, so they have to be named: {error}") from None
        except RemoteError as error:
            raise Unreadable(self.reason(error)) from None
        for text in listed:
            try:
                yield RepositoryName.parse(text)
            except NameInvalid:
                yield Broken(What.REPOSITORY, text, "", "not a repository name")

    def manifest_count(self, name: RepositoryName) -> None:
        """See the port: not known beforehand."""

    def survey(self, name: RepositoryName, limit: int) -> Survey:
        """See the port; the manifests are kept until they are asked for, as far as there is room."""
        self._kept.clear()
        # Behind one name there may be several registries.
        self._has_referrers = True
        with ThreadPoolExecutor(self._threads, "manifests") as pool:
            walk = _Walk(self, name, limit, pool)
            try:
                tags = list(self.behind.tags(name))
            except RemoteError as error:
                if not isinstance(error, NotFound) or self._names:
                    walk.broken.append(Broken(What.REPOSITORY, str(name), "", self.reason(error)))
                # Else a registry that still lists it, though its last tag is gone.
            else:
                walk.run(tags)
            return Survey(walk.read, walk.tags, walk.broken)

    def manifest(self, name: RepositoryName, digest: Digest, limit: int) -> SourceManifest:
        """See the port. Raises: Unreadable, Lost."""
        kept = self._kept.take(digest)
        return kept or self.fetched(name, digest, limit)[1]

    def blob(self, name: RepositoryName, blob: Reference) -> RemoteFile:
        """See the port: what is not there is known with the first byte."""
        return RemoteFile(self, name, blob)

    def fetched(self, name: RepositoryName, reference: Tag | Digest, limit: int) -> tuple[Digest, SourceManifest]:
        """One manifest, which is also kept. Raises: Absent, Unreadable, Lost."""
        try:
            found = self.behind.manifest(name, reference, limit)
        except NotFound as error:
            raise Absent(str(error)) from None
        except RemoteError as error:
            raise Unreadable(self.reason(error)) from None
        manifest = SourceManifest(found.content, found.media_type)
        self._kept.keep(found.digest, manifest)
        return found.digest, manifest

    def referrers(self, name: RepositoryName, subject: Digest) -> list[Digest]:
        """Of one manifest of the repository that is surveyed. Raises: Unreadable, Lost."""
        if not self._has_referrers:
            return []
        try:
            found = self.behind.referrers_by_api(name, subject)
        except RemoteError as error:
            raise Unreadable(f"its referrers: {self.reason(error)}") from None
        if found is None:
            # One that has the API answers with an empty list: so it need not be asked again.
            self._has_referrers = False
        return found or []

    def reason(self, error: RemoteError) -> str:
        """In words for a report. Raises: Lost, when it is no longer about this one thing."""
        if isinstance(error, Unanswered) and not self.behind.answers():
            raise Lost(str(error)) from None
        return str(error)


@dataclass(slots=True)
class _Kept:
    """Manifests between their survey and their push; what does not find room is asked for again."""

    _manifests: dict[Digest, SourceManifest] = field(default_factory=dict)
    _size: int = 0
    _lock: Lock = field(default_factory=Lock)

    def keep(self, digest: Digest, manifest: SourceManifest) -> None:
        with self._lock:
            if digest not in self._manifests and self._size + len(manifest.content) <= _KEPT:
                self._manifests[digest] = manifest
                self._size += len(manifest.content)

    def take(self, digest: Digest) -> SourceManifest | None:
        with self._lock:
            manifest = self._manifests.pop(digest, None)
            self._size -= len(manifest.content) if manifest else 0
            return manifest

    def clear(self) -> None:
        with self._lock:
            self._manifests.clear()
            self._size = 0


@dataclass(frozen=True, slots=True)
class _Read:
    """What came of asking for one manifest; without references there is a reason."""

    digest: Digest | None
    references: tuple[Reference, ...] | None = None
    reason: str = ""
    is_absent: bool = False


@dataclass(slots=True)
class _Walk:
    """Through one repository, from its tags to everything that they lead to."""

    source: RemoteRegistry
    name: RepositoryName
    limit: int
    pool: ThreadPoolExecutor
    read: dict[Digest, tuple[Reference, ...]] = field(default_factory=dict)
    tags: list[tuple[Tag, Digest]] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    _met: set[Digest] = field(default_factory=set)
    _subjects: set[Digest] = field(default_factory=set)

    def run(self, tags: Iterable[str]) -> None:
        """Raises: Lost."""
        wave = self._tagged(list(self._parsed(tags)))
        while wave:
            following = [*self._parts(wave), *self._referrers(wave)]
            wanted = [each for each in dict.fromkeys(following) if each not in self._met]
            if len(self._met) + len(wanted) > _MOST_MANIFESTS:
                self._breaks(What.REPOSITORY, "", f"it has more than {_MOST_MANIFESTS} manifests")
                return
            wave = self._by_digest(wanted)

    def _parsed(self, tags: Iterable[str]) -> Iterator[Tag]:
        for text in dict.fromkeys(tags):
            try:
                yield Tag.parse(text)
            except ManifestInvalid:
                self._breaks(What.TAG, text, "not a tag")

    def _tagged(self, tags: Sequence[Tag]) -> list[Digest]:
        """Ask for what each tag points to; the digests of those that can be read."""
        found: dict[Digest, None] = {}
        for tag, got in zip(tags, self._each(self._ask, tags), strict=True):
            if got.digest is None:
                self._breaks(What.TAG, tag, got.reason)
                continue
            self.tags.append((tag, got.digest))
            if got.digest not in self._met and self._takes(got.digest, got):
                found[got.digest] = None
        return list(found)

    def _by_digest(self, wanted: Sequence[Digest]) -> list[Digest]:
        """Ask for each; those that can be read."""
        return [
            digest
            for digest, got in zip(wanted, self._each(self._ask, wanted), strict=True)
            if self._takes(digest, got)
        ]

    def _takes(self, digest: Digest, got: _Read) -> bool:
        self._met.add(digest)
        if got.references is not None:
            self.read[digest] = got.references
            return True
        # A subject need not be there (distribution-spec, Pushing Manifests with Subject).
        if not (got.is_absent and digest in self._subjects):
            self._breaks(What.MANIFEST, digest, got.reason)
        return False

    def _parts(self, wave: Sequence[Digest]) -> Iterator[Digest]:
        """The children and the subject of each."""
        for each in (each for digest in wave for each in self.read[digest]):
            if each.kind is Kind.SUBJECT:
                self._subjects.add(each.digest)
            if each.kind in {Kind.CHILD, Kind.SUBJECT}:
                yield each.digest

    def _referrers(self, wave: Sequence[Digest]) -> Iterator[Digest]:
        for digest, found in zip(wave, self._each(self._ask_referrers, wave), strict=True):
            if isinstance(found, str):
                self._breaks(What.MANIFEST, digest, found)
            else:
                yield from found

    def _each(self, ask: Callable[[Asked], Answered], wanted: Sequence[Asked]) -> Iterator[Answered]:
        """By the threads of the pool, in order. Raises: Lost."""
        for start in range(0, len(wanted), _AT_ONCE):
            yield from self.pool.map(ask, wanted[start : start + _AT_ONCE])

    def _ask(self, reference: Tag | Digest) -> _Read:
        """In a thread of the pool. Raises: Lost."""
        digest = reference if isinstance(reference, Digest) else None
        try:
            digest, manifest = self.source.fetched(self.name, reference, self.limit)
            return _Read(digest, references_of(manifest))
        except Absent as error:
            return _Read(digest, reason=str(error), is_absent=True)
        except Unreadable as error:
            return _Read(digest, reason=str(error))

    def _ask_referrers(self, subject: Digest) -> list[Digest] | str:
        """In a thread of the pool. Raises: Lost."""
        try:
            return self.source.referrers(self.name, subject)
        except Unreadable as error:
            return str(error)

    def _breaks(self, what: What, name: object, reason: str) -> None:
        self.broken.append(Broken(what, str(self.name), str(name), reason))
