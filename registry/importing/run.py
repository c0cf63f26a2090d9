"""The import itself: repository by repository, manifest by manifest, each with its blobs just before it.

Nothing has to be remembered between two runs: what is there already is found there, and skipped. So a run that was
killed is simply begun again, and a last one after the old registry has stopped brings what came since the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from functools import partial
from typing import Final, Protocol

from registry.importing.destination import Destination
from registry.importing.fetch import ENDING, Fetching
from registry.importing.plan import Planned, plan_repository, reason_of
from registry.importing.report import Broken, Report, Taken, What
from registry.importing.source import Source, Unreadable
from registry.oci.digest import Digest
from registry.oci.errors import ManifestPartsUnknown, RegistryError
from registry.oci.manifest import Reference
from registry.oci.names import RepositoryName

# So many blobs are fetched as one batch: small ones of several manifests are on their way at once.
_TOGETHER: Final = 32


class Watcher(Protocol):
    """Somebody who wants to know how far it is."""

    def begins(self, repositories: int, manifests: int | None) -> None:
        """What there is to do, as far as it can be known before it is read; None manifests where it cannot."""
        ...

    def reads(self, name: RepositoryName, size: int) -> None:
        """A blob of so many bytes comes next."""
        ...

    def advances(self, manifests: int) -> None:
        """So many more are done with, one way or the other."""
        ...

    def finished(self, name: RepositoryName, report: Report) -> None:
        """The repository is done; what came of it alone."""
        ...


def chosen(source: Source, patterns: Sequence[str]) -> tuple[list[RepositoryName], list[Broken]]:
    """The repositories whose names match one of the patterns, all without any; and what cannot be one.

    Raises: Unreadable, Lost.
    """
    names: list[RepositoryName] = []
    broken: list[Broken] = []
    unused = set(patterns)
    for each in source.repositories():
        text = each.repository if isinstance(each, Broken) else each.text
        matching = {pattern for pattern in patterns if fnmatchcase(text, pattern)}
        unused -= matching
        if patterns and not matching:
            continue
        if isinstance(each, Broken):
            broken.append(each)
        else:
            names.append(each)
    broken += [Broken(What.PATTERN, "", each, "no repository matches it") for each in sorted(unused)]
    return names, broken


class Import:
    """One run, by so many threads that read blobs; an interrupt ends it after those that are under way."""

    def __init__(
        self, source: Source, destination: Destination, manifest_limit: int, threads: int, watcher: Watcher
    ) -> None:
        """Manifests of more than `manifest_limit` bytes do not come."""
        self.source = source
        self.destination = destination
        self.manifest_limit = manifest_limit
        self.watcher = watcher
        self._fetching = Fetching(source, destination)
        self._pool = ThreadPoolExecutor(threads, "blobs")
        # Of the repository that it is at.
        self._report = Report()
        self._sizes: dict[Digest, int | None] = {}

    def run(self, patterns: Sequence[str] = ()) -> Report:
        """Everything that can come.

        Raises: those of `ENDING`, and what the data folder's disk says; Lost; Unreadable for the list of repositories.
        """
        names, broken = chosen(self.source, patterns)
        counts = [self.source.manifest_count(name) for name in names]
        known = [count for count in counts if count is not None]
        self.watcher.begins(len(names), sum(known) if len(known) == len(counts) else None)
        whole = Report(broken=broken)
        try:
            for name in names:
                self._report = Report()
                self._repository(name)
                self.watcher.finished(name, self._report)
                whole.add(self._report)
        finally:
            self._pool.shutdown(cancel_futures=True)
        return whole

    def _repository(self, name: RepositoryName) -> None:
        plan = plan_repository(self.source, name, self.manifest_limit)
        self._report.repositories = 1
        self._report.unreferenced_layers = plan.unreferenced
        self._report.broken += plan.broken
        if (count := self.source.manifest_count(name)) is not None:
            self.watcher.advances(count - len(plan.manifests))
        self._sizes.clear()
        for together in _batches(plan.manifests):
            blobs = {each.digest: each for planned in together for each in planned.blobs}
            self._blobs(name, [each for each in blobs.values() if each.digest not in self._sizes])
            for planned in together:
                self._lies(name, planned)
                self._manifest(name, planned)
                self.watcher.advances(1)

    def _lies(self, name: RepositoryName, planned: Planned) -> None:
        for blob in {each.digest: each for each in planned.blobs}.values():
            if (size := self._sizes[blob.digest]) not in {None, blob.size}:
                # It is served like this where it comes from, so it comes; but a client may refuse it.
                lie = f"it says {blob.size} bytes of {blob.digest}, which has {size}"
                self._report.breaks(What.MANIFEST, name, planned.digest, lie)

    def _blobs(self, name: RepositoryName, blobs: Sequence[Reference]) -> None:
        """Those that the repository does not serve yet, several at a time: their hashes and their flushes overlap."""
        wanted = []
        for blob in blobs:
            size = self.destination.size(name, blob.digest)
            if size is None:
                self.watcher.reads(name, blob.size)
                wanted.append(blob)
            else:
                self._sizes[blob.digest] = size
                self._report.took(Taken.PRESENT, size)
        fetch = partial(self._fetching.fetch, name)
        # Told of by this thread alone, and in their order.
        for blob, fetched in zip(wanted, self._pool.map(fetch, wanted), strict=True):
            self._sizes[blob.digest] = fetched.size
            if fetched.how is not None and fetched.size is not None:
                self._report.took(fetched.how, fetched.size)
            if fetched.broken is not None:
                self._report.breaks(What.BLOB, name, blob.digest, fetched.broken)

    def _manifest(self, name: RepositoryName, planned: Planned) -> None:
        """The manifest with its tags, all of them or none."""
        is_present = self.destination.find(name, planned.digest) is not None
        former = {tag: self.destination.find(name, tag) for tag in planned.tags}
        wanted = [tag for tag in planned.tags if former[tag] != planned.digest]
        if not is_present or wanted:
            try:
                manifest = self.source.manifest(name, planned.digest, self.manifest_limit)
                self.destination.put(name, planned.digest, manifest, wanted)
            except ENDING:
                raise
            except (RegistryError, Unreadable) as error:
                self._fails(name, planned, _why(error))
                return
        self._report.manifests += not is_present
        self._report.manifests_present += is_present
        self._report.tags += len(wanted)
        self._report.tags_present += len(planned.tags) - len(wanted)
        for tag in wanted:
            if (before := former[tag]) is not None:
                self._report.moves(name, tag, before, planned.digest)

    def _fails(self, name: RepositoryName, planned: Planned, reason: str) -> None:
        self._report.breaks(What.MANIFEST, name, planned.digest, reason)
        for tag in planned.tags:
            self._report.breaks(What.TAG, name, tag, f"it points to {planned.digest}, which is not imported")


def _batches(manifests: Sequence[Planned]) -> Iterator[list[Planned]]:
    """In their order, so that parts stay before wholes."""
    together: list[Planned] = []
    blobs = 0
    for planned in manifests:
        together.append(planned)
        blobs += len(planned.blobs)
        if blobs >= _TOGETHER:
            yield together
            together, blobs = [], 0
    if together:
        yield together


def _why(error: RegistryError | Unreadable) -> str:
    if isinstance(error, ManifestPartsUnknown):
        return f"it needs {', '.join(map(str, error.detail['digests']))}"  # type: ignore[call-overload]  # a list of digests
    return reason_of(error) if isinstance(error, RegistryError) else str(error)
