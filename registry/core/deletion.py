"""How tags and manifests are deleted, by whomever: restorable for a while, told of, and reviewed when that is over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from registry.core.facts import Action, Caller, ContentKind, Repository
from registry.core.ports import Transaction
from registry.oci.digest import Digest
from registry.oci.names import Tag


@dataclass(frozen=True, slots=True)
class Deletion:
    """`lease` is what a deleted manifest's parts get, `undo_window` how long it can be restored."""

    lease: timedelta
    undo_window: timedelta

    def hold(self, tx: Transaction, repository: Repository, digest: Digest) -> bool:
        """Hold the manifest and its parts, as the first thing in a transaction; whether it is visible.

        Its parts lose their hold when the undo window ends; a push under way may count on them after that too. They are
        held first, because a push locks links, then manifests, then tags: in another order the two would meet.
        """
        tx.links.renew_parts(repository, digest, self.lease)
        return tx.manifests.find(repository, digest) is not None

    def end_tag(self, tx: Transaction, repository: Repository, tag: Tag, by: Caller, reason: str = "") -> Digest | None:
        """Forget the name; what it pointed to, None where it is not there."""
        digest = tx.tags.close(repository, tag, by)
        if digest is not None:
            self._review(tx, repository, digest)
            tx.journal.event(Action.DELETE_TAG, repository, by, digest, reference=str(tag), detail=reason)
        return digest

    def end_manifest(
        self,
        tx: Transaction,
        repository: Repository,
        digest: Digest,
        by: Caller,
        *,
        reason: str = "",
        before_ending: Callable[[Iterable[Tag]], None] | None = None,
    ) -> None:
        """Forget a manifest that is held, with every tag of it; `before_ending` is told these, and may raise."""
        tags = tx.tags.close_all(repository, digest, by)
        if before_ending is not None:
            before_ending(tags)
        for tag in tags:
            tx.journal.event(Action.DELETE_TAG, repository, by, digest, reference=str(tag), detail=reason)
        tx.manifests.delete(repository, digest)
        # Only now, because the collector holds a manifest and then has its parts reviewed.
        tx.links.review_parts(repository, digest, self.lease)
        self._review(tx, repository, digest)
        tx.journal.event(Action.DELETE_MANIFEST, repository, by, digest, detail=reason)

    def _review(self, tx: Transaction, repository: Repository, digest: Digest) -> None:
        tx.journal.review(repository, ContentKind.MANIFEST, digest, tx.now + self.undo_window)
