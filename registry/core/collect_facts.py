"""What the collector is told: candidates, and what it holds of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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


class RunKind(StrEnum):
    """What a run did: rows that go, with what they are charged for, or sessions and bytes."""

    COLLECTED = "collected"
    SWEPT = "swept"


@dataclass(frozen=True, slots=True)
class CollectorRun:
    """One that did something, or was asked for: how many of what; `id` is the later the greater."""

    id: int
    kind: RunKind
    began: datetime
    ended: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait for their time, their bytes as far as those are known, and when the first is due."""

    count: int
    bytes: int
    first: datetime | None


@dataclass(frozen=True, slots=True)
class OpenSession:
    """An upload session that ends at `expires`, unless somebody goes on with it; its bytes so far."""

    id: int
    uuid: str
    repository: str
    bytes: int
    expires: datetime


@dataclass(frozen=True, slots=True)
class DoomedObject:
    """An object that nobody names, since then."""

    id: int
    key: str
    bytes: int
    since: datetime
