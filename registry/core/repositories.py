"""Whole repositories: deleted, restored within their window, or purged before it ends (design 3).

A deleted repository is invisible at once and its name is free at once: whoever pushes there makes another repository.
Its rows stay as they are, so that manifests, tags and what they were come back together; until the collector has taken
it apart, its project is charged for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from registry.core.facts import Action, Caller, DeletedRepository, Repository
from registry.core.nouns.holdings import Held, Sharer
from registry.core.ports import Metadata, Transaction
from registry.core.protection import Protection
from registry.core.refusals import DeletedRepositoryUnknown, NotRestorable
from registry.oci.errors import NameUnknown
from registry.oci.names import RepositoryName

_MOST_SHARERS: Final = 1000
_BATCH: Final = 500


def _by_everybody(_: RepositoryName) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class RepositoryService:
    """The rules; who may do it is decided before (`core/repository_rights`)."""

    metadata: Metadata
    undo_window: timedelta
    protection: Protection = field(default_factory=Protection)

    def delete(self, name: RepositoryName, by: Caller) -> DeletedRepository:
        """Show it to nobody, and end its upload sessions. Raises: NameUnknown, TagImmutable."""

        def forget(tx: Transaction) -> DeletedRepository:
            repository = tx.repositories.find(name)
            if repository is None:
                raise NameUnknown(name=str(name))
            # Sessions before their repository, as whoever commits a blob locks them.
            _end_sessions(tx, repository)
            deleted = tx.deletions.delete(repository)
            if deleted is None:
                raise NameUnknown(name=str(name))
            # An immutable tag is not deleted by way of its repository either.
            self.protection.demand_all(tx, name, tx.deletions.tags(repository))
            # Those that began before it was ours.
            _end_sessions(tx, repository)
            tx.journal.event(Action.DELETE_REPOSITORY, repository, by)
            return deleted

        return self.metadata.transact(forget)

    def show(self, name: RepositoryName) -> tuple[Held, Sequence[Sharer]]:
        """What it holds, and with whom it shares that: names that not everybody may see. Raises: NameUnknown."""

        def look(tx: Transaction) -> tuple[Held, Sequence[Sharer]]:
            repository = tx.repositories.find(name)
            if repository is None:
                raise NameUnknown(name=str(name))
            return tx.holdings.of(repository), tx.holdings.sharers(repository, _MOST_SHARERS)

        return self.metadata.observe(look)

    def deleted(
        self, last: tuple[str, str], limit: int, is_seen: Callable[[RepositoryName], bool] = _by_everybody
    ) -> Sequence[DeletedRepository]:
        """Those that can be restored, by name and uuid, after `last`, and whose names are seen."""
        seen: list[DeletedRepository] = []
        while len(seen) < limit:
            page = self.metadata.observe(partial(self._page, last))
            seen += [each for each in page if is_seen(each.repository.name)]
            if len(page) < _BATCH:
                break
            last = str(page[-1].repository.name), page[-1].uuid
        return seen[:limit]

    def _page(self, last: tuple[str, str], tx: Transaction) -> Sequence[DeletedRepository]:
        return tx.deletions.page(tx.now - self.undo_window, last, _BATCH)

    def get_deleted(self, uuid: str) -> DeletedRepository:
        """Raises: DeletedRepositoryUnknown."""
        return self.metadata.observe(lambda tx: _deleted(tx, uuid))

    def latest(self, name: RepositoryName) -> DeletedRepository:
        """Of those that had this name, the one that was deleted last. Raises: DeletedRepositoryUnknown."""
        deleted = self.metadata.observe(lambda tx: tx.deletions.latest(name))
        if deleted is None:
            raise DeletedRepositoryUnknown(name=str(name))
        return deleted

    def ends(self, deleted: DeletedRepository) -> datetime:
        """When its window ends."""
        return deleted.deleted + self.undo_window

    def restore(self, uuid: str, by: Caller, name: RepositoryName | None = None) -> RepositoryName:
        """Serve it again as it was, under its name or another of its project; the name that it has now.

        Raises: DeletedRepositoryUnknown, NotRestorable, QuotaExceeded.
        """

        def revive(tx: Transaction) -> RepositoryName:
            deleted = _deleted(tx, uuid)
            former = deleted.repository
            wanted = name or former.name
            if self.ends(deleted) <= tx.now:
                raise NotRestorable(name=str(former.name), reason="its undo window is over")
            if wanted.project != former.name.project:
                raise NotRestorable(name=str(wanted), reason=f"the project {former.name.project} is charged for it")
            if tx.repositories.find(wanted) is not None:
                raise NotRestorable(name=str(wanted), reason="there is one of this name: restore it under another")
            tx.deletions.restore(deleted, wanted)
            tx.journal.event(Action.RESTORE_REPOSITORY, replace(former, name=wanted), by, reference=str(former.name))
            return wanted

        return self.metadata.transact(revive)

    def purge(self, uuid: str, by: Caller) -> DeletedRepository:
        """Nothing restores it from now on, and the collector may take it. Raises: DeletedRepositoryUnknown."""

        def end(tx: Transaction) -> DeletedRepository:
            deleted = _deleted(tx, uuid)
            tx.deletions.purge(deleted)
            tx.journal.event(Action.PURGE_REPOSITORY, deleted.repository, by)
            return deleted

        return self.metadata.transact(end)


def _end_sessions(tx: Transaction, repository: Repository) -> None:
    for session in tx.deletions.sessions(repository):
        tx.uploads.remove(session)


def _deleted(tx: Transaction, uuid: str) -> DeletedRepository:
    deleted = tx.deletions.hold(uuid)
    if deleted is None:
        raise DeletedRepositoryUnknown(uuid=uuid[:100])
    return deleted
