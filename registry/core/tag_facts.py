"""What rules of tags are told: tags and manifests as they stand, and pulls that were counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag


@dataclass(frozen=True, slots=True)
class Pull:
    """A manifest was pulled `times` times since that was told of before, and at `last` for the last time."""

    repository: RepositoryName
    digest: Digest
    times: int
    last: datetime


@dataclass(frozen=True, slots=True)
class StandingTag:
    """A tag, where it points, since when; and of the manifest there, when it was pushed and pulled last."""

    tag: Tag
    digest: Digest
    since: datetime
    manifest_pushed: datetime
    pulled: datetime | None

    @property
    def pushed(self) -> datetime:
        """The last push of the tag, or of what it points to: a build that changes nothing is a push too."""
        return max(self.since, self.manifest_pushed)


@dataclass(frozen=True, slots=True)
class UntaggedManifest:
    """A manifest that no tag, no index and no subject leads to; since when it was of no use to anybody.

    That is its last push, its last pull, or when it lost its last tag.
    """

    digest: Digest
    idle_since: datetime
