"""What a transaction can be asked and told of repositories that are deleted, or are about to be (design 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from registry.core.facts import DeletedRepository, Repository, UploadSession
from registry.oci.names import RepositoryName, Tag

Mark = tuple[datetime, int]
"""A repository by its row's id, and when it became what is asked for: where a page begins."""


class Deletions(Protocol):
    """Deleted repositories: invisible, whole, and restorable for a while. A `uuid` names each for good."""

    def sessions(self, repository: Repository) -> Sequence[UploadSession]:
        """Its upload sessions, held until the transaction ends."""
        ...

    def delete(self, repository: Repository) -> DeletedRepository | None:
        """Hide it, and let another have its name; waits for pushes to end. None when somebody else has deleted it."""
        ...

    def page(self, since: datetime, last: tuple[str, str], limit: int) -> Sequence[DeletedRepository]:
        """Those deleted after `since`, by name and uuid, after `last`."""
        ...

    def latest(self, name: RepositoryName) -> DeletedRepository | None:
        """Of those that had this name, the one that was deleted last."""
        ...

    def hold(self, uuid: str) -> DeletedRepository | None:
        """It stays deleted, and whole, until the transaction ends; None when there is no such deleted repository."""
        ...

    def restore(self, deleted: DeletedRepository, name: RepositoryName) -> None:
        """Serve it again, under a name that nobody has."""
        ...

    def purge(self, deleted: DeletedRepository) -> None:
        """Nothing restores it any more."""
        ...

    def tags(self, repository: Repository) -> Iterator[Tag]:
        """Those that are live, in their order."""
        ...


class Dissolution(Protocol):
    """Taking apart, piece by piece, a repository that nothing restores any more; by its row's id."""

    def due(self, before: datetime, after: Mark, limit: int) -> Sequence[Mark]:
        """Repositories deleted by `before`, after `after`, the longest deleted first."""
        ...

    def take(self, repository: int, before: datetime) -> bool:
        """Whether it is still one of those, and not somebody else's just now; if so, nothing restores it any more."""
        ...

    def remove_manifests(self, repository: int, limit: int) -> int:
        """Some of its manifests, with the tags that point to them; what they referenced is reviewed. How many."""
        ...

    def forget_history(self, repository: int, limit: int) -> int:
        """Some of what its tags were; how much."""
        ...

    def remove(self, repository: int) -> bool:
        """Forget an empty repository; whether it was empty."""
        ...

    def unused(self, before: datetime, after: Mark, limit: int) -> Sequence[Mark]:
        """Repositories made by `before`, after `after`, that never held a manifest and hold nothing, oldest first."""
        ...

    def hold_unused(self, repository: int) -> bool:
        """Whether it still never held a manifest, and nobody is about to push to it; nobody does meanwhile."""
        ...
