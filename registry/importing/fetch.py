"""One blob on its way from the source into a repository, and why it does not come where it does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from registry.importing.destination import Destination
from registry.importing.plan import reason_of
from registry.importing.report import Taken
from registry.importing.source import Absent, Source, SourceFile, Unreadable
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid, RegistryError, StorageFull, Unavailable
from registry.oci.manifest import Reference
from registry.oci.names import RepositoryName

# What is wrong with our own side: no fault of the source's, and the next blob would fare no better.
ENDING: Final = (StorageFull, Unavailable)


@dataclass(frozen=True, slots=True)
class Fetched:
    """How a blob of which size came, or the reason why it is broken; neither where a manifest may do without it."""

    size: int | None = None
    how: Taken | None = None
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class Fetching:
    """Any number of threads may fetch, each another blob."""

    source: Source
    destination: Destination
    _damaged: dict[Digest, str] = field(default_factory=dict)
    """Blobs whose bytes are wrong: read once, told of in each repository."""

    def fetch(self, name: RepositoryName, blob: Reference) -> Fetched:
        """Into this repository, which does not serve it yet. Raises: those of `ENDING`, Lost."""
        try:
            return self._fetched(name, blob)
        except Absent as error:
            return Fetched(broken=str(error)) if blob.is_required else Fetched()
        except Unreadable as error:
            return Fetched(broken=str(error))

    def _fetched(self, name: RepositoryName, blob: Reference) -> Fetched:
        if blob.digest in self._damaged:
            raise Unreadable(self._damaged[blob.digest])
        with self.source.blob(name, blob) as file:
            return Fetched(file.size, self._taken(name, blob, file))

    def _taken(self, name: RepositoryName, blob: Reference, file: SourceFile) -> Taken:
        try:
            return self.destination.take(name, blob.digest, file)
        except DigestInvalid as error:
            short = f"its data has {file.size} bytes instead of {blob.size}"
            why = short if file.size != blob.size else f"its data is {error.detail['computed']}"
            self._damaged[blob.digest] = why
            raise Unreadable(why) from None
        except ENDING:
            raise
        except RegistryError as error:
            # Such as a session that somebody ended: with the next run it comes.
            raise Unreadable(reason_of(error)) from None
