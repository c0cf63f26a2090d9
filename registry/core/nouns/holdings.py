"""What a transaction can be asked of what a repository holds, and with whom it shares that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from registry.core.facts import Repository
from registry.oci.names import RepositoryName


@dataclass(frozen=True, slots=True)
class Held:
    """Counts of one repository, and bytes: of all that it holds, deleted or not, and of what no other holds.

    `deleted` are manifests that can be restored, or wait for the collector.
    """

    tags: int
    manifests: int
    deleted: int
    size: int
    own: int


@dataclass(frozen=True, slots=True)
class Sharer:
    """Another repository, and how many bytes of blobs it shares."""

    name: RepositoryName
    size: int


class Holdings(Protocol):
    """Each answer is a sum over all that the repository holds."""

    def of(self, repository: Repository) -> Held: ...
    def sharers(self, repository: Repository, limit: int) -> Sequence[Sharer]:
        """Those with whom it shares most, first; no deleted ones."""
        ...
