"""What a transaction can be asked and told of how tags come and go: pulls that were counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from registry.core.facts import Repository
from registry.core.tag_facts import Pull
from registry.oci.digest import Digest


class Pulls(Protocol):
    """Which manifests are pulled, when and how often."""

    def note(self, pulls: Sequence[Pull]) -> None:
        """So many more, the last one then, unless a later one is known; each with the manifest that is there now."""
        ...

    def of(self, repository: Repository, digest: Digest) -> tuple[int, datetime | None]:
        """How often, and when last."""
        ...
