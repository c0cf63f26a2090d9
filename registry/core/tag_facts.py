"""What rules of tags are told: pulls that were counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from registry.oci.digest import Digest
from registry.oci.names import RepositoryName


@dataclass(frozen=True, slots=True)
class Pull:
    """A manifest was pulled `times` times since that was told of before, and at `last` for the last time."""

    repository: RepositoryName
    digest: Digest
    times: int
    last: datetime
