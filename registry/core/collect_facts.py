"""What the collector is told: candidates, and what it holds of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from registry.core.facts import ContentKind
from registry.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class Review:
    """A candidate: content of one repository, by the repository's row."""

    repository: int
    kind: ContentKind
    digest: Digest
    due: datetime


@dataclass(frozen=True, slots=True)
class HeldManifest:
    """A manifest that is ours until the transaction ends; `deleted` is None while it is visible."""

    id: int
    deleted: datetime | None


@dataclass(frozen=True, slots=True)
class HeldLink:
    """A link that is ours until the transaction ends, the project that is charged for it, and the end of its lease."""

    review: Review
    project: int
    lease: datetime


@dataclass(frozen=True, slots=True)
class HeldBlob:
    """A blob that is ours until the transaction ends."""

    id: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is known of a candidate without holding it, as of one moment.

    `size` is that of its bytes, None where they are gone; `is_held` tells of a manifest of the repository that
    references a blob, or of an index that lists a manifest. Of a blob: the end of its link's lease, None where there is
    no link, and whether another repository links it. Of a manifest: when it was deleted.
    """

    review: Review
    repository: str
    size: int | None
    is_held: bool
    lease: datetime | None = None
    is_shared: bool = False
    deleted: datetime | None = None
