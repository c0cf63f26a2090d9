"""Undo: what a tag was, and what was deleted coming back within its window (design 3).

A tag's past is its history: one interval for each time that it was set, by whom, until when, ended by whom. A deleted
manifest keeps its row and everything that it references until the collector has come by after its undo window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from registry.core.facts import Action, Caller, ContentKind, DeletedManifest, Interval, Repository
from registry.core.ports import Metadata, Transaction
from registry.core.protection import Protection
from registry.core.refusals import NotDeleted, NotRestorable
from registry.oci.digest import Digest
from registry.oci.errors import ManifestUnknown, NameUnknown
from registry.oci.manifest import needs
from registry.oci.names import RepositoryName, Tag


@dataclass(frozen=True, slots=True)
class UndoService:
    """The rules; who may restore is decided before. `sparse`: manifests may come back without their parts."""

    metadata: Metadata
    undo_window: timedelta
    protection: Protection = field(default_factory=Protection)
    sparse: bool = False

    def history(self, name: RepositoryName, tag: Tag) -> Sequence[Interval]:
        """What the tag has pointed to, the latest first; the present is an interval without an end.

        Raises: NameUnknown.
        """
        return self.metadata.observe(lambda tx: tx.tags.history(_repository(tx, name), tag))

    def at(self, name: RepositoryName, tag: Tag, instant: datetime) -> Digest | None:
        """What the tag pointed to at an instant; None when there was no such tag. Raises: NameUnknown."""
        return next((each.digest for each in self.history(name, tag) if each.holds(instant)), None)

    def restore_tag(self, name: RepositoryName, tag: Tag, by: Caller, instant: datetime | None = None) -> Digest:
        """Point the tag at what it pointed to at an instant, or last before it was deleted or moved; that manifest.

        A manifest that was deleted comes back with it, and so do those that it lists.
        Raises: NameUnknown, ManifestUnknown, NotRestorable, TagImmutable, QuotaExceeded.
        """

        def restore(tx: Transaction) -> Digest:
            repository = _repository(tx, name)
            digest = _former(tx.tags.history(repository, tag), instant)
            if digest is None:
                raise ManifestUnknown(reference=str(tag), reason="the tag has no such past")
            self._revive(tx, repository, digest, by)
            movable = partial(self.protection.demand, tx, name, tag)
            if tx.tags.set(repository, tag, digest, by, before_moving=movable):
                tx.journal.event(Action.SET_TAG, repository, by, digest, reference=str(tag))
            return digest

        return self.metadata.transact(restore)

    def restore_manifest(self, name: RepositoryName, digest: Digest, by: Caller) -> None:
        """Serve it again, under no tag. Raises: NameUnknown, ManifestUnknown, NotRestorable."""
        self.metadata.transact(lambda tx: self._revive(tx, _repository(tx, name), digest, by))

    def deleted_manifests(self, name: RepositoryName, last: Digest | None, limit: int) -> Sequence[DeletedManifest]:
        """Those that can be restored, by their digests, after `last`. Raises: NameUnknown."""
        return self.metadata.observe(
            lambda tx: tx.deleted_manifests.page(_repository(tx, name), tx.now - self.undo_window, last, limit)
        )

    def ends(self, deleted: datetime) -> datetime:
        """When the window of what was deleted then is over."""
        return deleted + self.undo_window

    def purge_manifest(self, name: RepositoryName, digest: Digest, by: Caller) -> None:
        """Nothing restores a deleted one from now on, and the collector may take it.

        Raises: NameUnknown, ManifestUnknown, NotDeleted.
        """

        def end(tx: Transaction) -> None:
            repository = _repository(tx, name)
            if not tx.deleted_manifests.purge(repository, digest):
                if tx.manifests.find(repository, digest) is None:
                    raise ManifestUnknown(digest=str(digest), reason="it was never here, or was collected")
                raise NotDeleted(digest=str(digest))
            tx.journal.review(repository, ContentKind.MANIFEST, digest, tx.now)
            tx.journal.event(Action.PURGE_MANIFEST, repository, by, digest)

        self.metadata.transact(end)

    def _revive(self, tx: Transaction, repository: Repository, digest: Digest, by: Caller) -> None:
        """Serve it again, and first whatever it lists that was deleted too."""
        revived = [each for each in _deleted_below(tx, repository, digest) if self._has_revived(tx, repository, each)]
        # Reviews last, because the collector holds a manifest and then has its parts and children reviewed.
        for each in revived:
            tx.journal.review(repository, ContentKind.MANIFEST, each, tx.now)
            tx.journal.event(Action.RESTORE_MANIFEST, repository, by, each)

    def _has_revived(self, tx: Transaction, repository: Repository, digest: Digest) -> bool:
        """Whether it was deleted until now."""
        # Parts first, then the manifest: as a push locks them.
        missing = [] if self.sparse else _missing(tx, repository, digest)
        deleted = tx.manifests.hold_deleted(repository, digest)
        if deleted is None:
            if tx.manifests.find(repository, digest) is None:
                raise ManifestUnknown(digest=str(digest), reason="it was never here, or was collected")
            return False
        if self.ends(deleted) <= tx.now:
            raise NotRestorable(digest=str(digest), reason="its undo window is over")
        if missing:
            raise NotRestorable(digest=str(digest), reason=f"{missing[0]} is not served here any more")
        tx.manifests.revive(repository, digest)
        return True


def _missing(tx: Transaction, repository: Repository, digest: Digest) -> list[Digest]:
    """What a push of the manifest would be refused for."""
    missing = tx.manifests.missing(repository, tx.manifests.parts(repository, digest))
    content = (tx.inventory.content(digest) or b"") if missing else b""
    return [each for each in missing if needs(content, "", each)]


def _deleted_below(tx: Transaction, repository: Repository, digest: Digest) -> list[Digest]:
    """The manifest, after those deleted ones that it lists, each after those that it lists itself; nothing is held."""
    found: dict[Digest, None] = {}
    waiting = [(digest, False)]
    while waiting:
        each, is_last = waiting.pop()
        if is_last:
            found[each] = None
        elif each not in found:
            deleted = tx.deleted_manifests.children(repository, each)
            waiting += [(each, True), *((child, False) for child in reversed(deleted))]
    return list(found)


def _former(history: Sequence[Interval], instant: datetime | None) -> Digest | None:
    if instant is not None:
        return next((each.digest for each in history if each.holds(instant)), None)
    # Of a tag that is there, the last other one that it was; of one that is not, what it was last.
    present = next((each.digest for each in history if each.ended is None), None)
    return next((each.digest for each in history if each.digest != present), None)


def _repository(tx: Transaction, name: RepositoryName) -> Repository:
    """Raises: NameUnknown."""
    repository = tx.repositories.find(name)
    if repository is None:
        raise NameUnknown(name=str(name))
    return repository
