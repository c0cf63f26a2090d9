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
