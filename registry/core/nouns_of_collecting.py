"""What a transaction can be asked and told by the collector (design 3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from registry.core.collect_facts import HeldManifest, Review
from registry.oci.digest import Digest


class Collection(Protocol):
    """What is to be looked at, and what holds it. `hold_…` passes over what somebody else holds."""

    def due(self, until: datetime, last: Review | None, limit: int) -> Sequence[Review]:
        """Reviews that are due by `until`, after `last`, the longest due first."""
        ...

    def waiting(self, last: Review | None, limit: int) -> Sequence[Review]:
        """All reviews after `last`, due or not, in the same order."""
        ...

    def counts(self) -> tuple[int, int]:
        """How many reviews wait, and how many of them are due."""
        ...

    def name_of(self, review: Review) -> str:
        """The repository's name."""
        ...

    def lease_of(self, review: Review) -> datetime | None:
        """When the link's lease ends; None where there is no link."""
        ...

    def deleted_at(self, review: Review) -> datetime | None:
        """When the manifest was deleted; None where it was not, or is not there."""
        ...

    def settle(self, review: Review) -> None:
        """Forget it, unless somebody has enqueued it anew."""
        ...

    def postpone(self, review: Review, due: datetime) -> None:
        """The same, but look again then."""
        ...

    def knows_link(self, review: Review) -> bool:
        """Whether there is such a link, held by whomever."""
        ...

    def hold_link(self, review: Review) -> datetime | None:
        """Hold the link; the end of its lease. None when somebody else holds it."""
        ...

    def is_referenced(self, review: Review) -> bool:
        """Whether a manifest of the repository references the blob, a deleted one included."""
        ...

    def remove_link(self, review: Review) -> None:
        """The repository serves it no more, and its project is refunded."""
        ...

    def knows_blob(self, digest: Digest) -> bool:
        """Whether there is such a blob, held by whomever."""
        ...

    def hold_blob(self, digest: Digest) -> bool:
        """Hold the blob; whether nobody else does."""
        ...

    def is_linked(self, digest: Digest) -> bool:
        """Whether any repository links it, visibly or not."""
        ...

    def remove_blob(self, digest: Digest) -> None:
        """Its bytes are nobody's: an object is doomed, a row's bytes go at once."""
        ...

    def knows_manifest(self, review: Review) -> bool:
        """Whether there is such a manifest, held by whomever."""
        ...

    def hold_manifest(self, review: Review) -> HeldManifest | None:
        """Hold it. None when somebody else does."""
        ...

    def is_child(self, review: Review) -> bool:
        """Whether an index of the repository lists it, a deleted one included."""
        ...

    def delete_referrers(self, review: Review, due: datetime) -> None:
        """Those that nothing else leads to are deleted, restorable until they are looked at, when that is `due`."""
        ...

    def remove_manifest(self, review: Review, held: HeldManifest) -> None:
        """It cannot be restored any more; what it referenced is looked at, and its project is refunded."""
        ...
