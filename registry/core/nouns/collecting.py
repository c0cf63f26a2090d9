"""What a transaction can be asked and told by the collector (design 3).

`hold` and `hold_…` pass over what somebody else holds, so that they wait for nobody.
"""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Protocol

from registry.core.collect_facts import (
    CollectorRun,
    DoomedObject,
    HeldBlob,
    HeldLink,
    HeldManifest,
    OpenSession,
    Prospect,
    Review,
    RunKind,
    Waiting,
)
from registry.core.facts import DeletedManifest, Repository
from registry.oci.digest import Digest


class Reviews(Protocol):
    """The queue: what is to be looked at, and when."""

    def due(self, until: datetime, last: Review | None, limit: int) -> Sequence[Review]:
        """Reviews that are due by `until`, after `last`, the longest due first."""
        ...

    def counts(self) -> tuple[int, int]:
        """How many reviews wait, and how many of them are due."""
        ...

    def prospects(self, last: Review | None, limit: int) -> Sequence[Prospect]:
        """What is known of all candidates after `last`, due or not, in the same order."""
        ...

    def settle(self, reviews: Some[Review]) -> None:
        """Forget them, but for those that somebody has enqueued anew, or is about to."""
        ...

    def postpone(self, later: Mapping[Review, datetime]) -> None:
        """The same, but look again then."""
        ...


class Collection(Protocol):
    """Links and blobs, each question about a whole lot of them."""

    def hold_links(self, reviews: Sequence[Review]) -> Sequence[HeldLink]:
        """Hold the links that are there and that nobody else holds."""
        ...

    def known_links(self, reviews: Sequence[Review]) -> AbstractSet[Review]:
        """Those of which there is a link, held by whomever."""
        ...

    def referenced(self, links: Sequence[HeldLink]) -> AbstractSet[Review]:
        """Those that a manifest of their repository references, a deleted one included."""
        ...

    def remove_links(self, links: Sequence[HeldLink]) -> None:
        """Their repositories serve them no more, and the projects are refunded."""
        ...

    def hold_blobs(self, digests: Some[Digest]) -> Sequence[HeldBlob]:
        """Hold the blobs that are there and that nobody else holds."""
        ...

    def known_blobs(self, digests: Some[Digest]) -> AbstractSet[Digest]:
        """Those of which there is a blob, held by whomever."""
        ...

    def linked(self, blobs: Sequence[HeldBlob]) -> AbstractSet[Digest]:
        """Those that any repository links, visibly or not."""
        ...

    def remove_blobs(self, blobs: Sequence[HeldBlob]) -> None:
        """Their bytes are nobody's: an object is doomed, a row's bytes go at once. Raises: Contradicted."""
        ...


class DeletedManifests(Protocol):
    """Manifests, one at a time; by review for the collector, by repository for people."""

    def knows(self, review: Review) -> bool:
        """Whether there is such a manifest, held by whomever."""
        ...

    def hold(self, review: Review) -> HeldManifest | None:
        """Hold it. None when somebody else does."""
        ...

    def is_child(self, review: Review) -> bool:
        """Whether an index of the repository lists it, a deleted one included."""
        ...

    def children(self, repository: Repository, digest: Digest) -> Sequence[Digest]:
        """Those that an index lists, deleted or not, and that are deleted themselves, by their digests."""
        ...

    def delete_referrers(self, review: Review, due: datetime) -> None:
        """Those that nothing else leads to are deleted, restorable until they are looked at, when that is `due`."""
        ...

    def remove(self, review: Review, held: HeldManifest) -> None:
        """It cannot be restored any more; what it referenced is looked at, and its project is refunded."""
        ...

    def page(
        self, repository: Repository, since: datetime, last: Digest | None, limit: int
    ) -> Sequence[DeletedManifest]:
        """Those deleted after `since`, by their digests, after `last`."""
        ...

    def purge(self, repository: Repository, digest: Digest) -> bool:
        """Nothing restores it any more; whether it was deleted."""
        ...


class CollectorRuns(Protocol):
    """What was done lately."""

    def add(self, kind: RunKind, began: datetime, counts: Mapping[str, int]) -> None:
        """It ends now; of earlier ones the last are kept."""
        ...

    def page(self, before: int | None, limit: int) -> Sequence[CollectorRun]:
        """The latest first, those before `before`."""
        ...


class Outlook(Protocol):
    """What waits for its time, without being asked about."""

    def reviews(self) -> Waiting:
        """Candidates; their bytes are not added up."""
        ...

    def objects(self) -> Waiting:
        """Objects that nobody names; `first` is since when."""
        ...

    def sessions(self) -> Waiting:
        """Upload sessions that are open; `first` is when one expires."""
        ...

    def object_page(self, after: int, limit: int) -> Sequence[DoomedObject]:
        """In the order of their ids, after one."""
        ...

    def session_page(self, after: int, limit: int) -> Sequence[OpenSession]:
        """The same of sessions."""
        ...
