"""Manifests and tags: pushing, tagging, deleting (distribution-spec, Pushing Manifests; Content Management)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

from registry.core.deletion import Deletion
from registry.core.facts import Action, Caller, ContentKind, Repository
from registry.core.ports import Metadata, Transaction
from registry.core.protection import Protection
from registry.core.quota import Accepted
from registry.oci.digest import Digest
from registry.oci.errors import (
    DigestInvalid,
    ManifestPartsUnknown,
    ManifestUnknown,
    NotAllowed,
    PreconditionFailed,
    TagMayNotMove,
    TooManyTags,
)
from registry.oci.manifest import Manifest, parse_manifest
from registry.oci.names import RepositoryName, Tag

MOST_TAGS: Final = 64
_MOST_TOLD: Final = 100


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of a tag for a push to go on (RFC 9110, section 13.1): `If-Match`, `If-None-Match`.

    `match` lists the digests of which one must be there; None demands nothing, and empty means any (`*`). Without
    `may_move`, no tag that is there may come to point elsewhere.
    """

    match: Sequence[str] | None = None
    none_match: Sequence[str] | None = None
    may_move: bool = True

    @property
    def is_stated(self) -> bool:
        """Whether the request itself demands something."""
        return self.match is not None or self.none_match is not None

    def holds(self, present: Digest | None) -> bool:
        """Whether it does for what the reference points to by now."""
        matches = present is not None and (not self.match or str(present) in self.match)
        if self.match is not None and not matches:
            return False
        excluded = present is not None and (not self.none_match or str(present) in self.none_match)
        return self.none_match is None or not excluded


UNCONDITIONAL: Final = Condition()


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push came to: where the manifest is, which tags point to it, which subject was seen."""

    digest: Digest
    tags: tuple[Tag, ...]
    subject: Digest | None


@dataclass(frozen=True, slots=True)
class ManifestService:
    """The rules of manifests; `sparse` lets them reference what was not pushed yet."""

    metadata: Metadata
    lease: timedelta
    undo_window: timedelta
    sparse: bool
    protection: Protection = field(default_factory=Protection)

    def put(
        self,
        name: RepositoryName,
        reference: Tag | Digest,
        content: bytes,
        content_type: str,
        caller: Caller,
        *,
        tags: Sequence[Tag] = (),
        condition: Condition = UNCONDITIONAL,
    ) -> Pushed:
        """Keep the bytes as they are, with every tag, or nothing at all (end-7a, end-7b).

        Raises: ManifestInvalid, DigestInvalid, TooManyTags, ManifestPartsUnknown, PreconditionFailed, QuotaExceeded;
        TagMayNotMove and TagImmutable where a tag points elsewhere.
        """
        pushed, keep = self.plan(name, reference, content, content_type, caller, tags=tags, condition=condition)
        self.metadata.transact(keep)
        return pushed

    def plan(
        self,
        name: RepositoryName,
        reference: Tag | Digest,
        content: bytes,
        content_type: str,
        caller: Caller,
        *,
        tags: Sequence[Tag] = (),
        condition: Condition = UNCONDITIONAL,
    ) -> tuple[Pushed, Callable[[Transaction], Accepted]]:
        """What `put` will have come to, and the transaction that it takes; that says what is to be told of soft limits.

        Raises: ManifestInvalid, DigestInvalid, TooManyTags; the transaction ManifestPartsUnknown, PreconditionFailed,
        TagMayNotMove, TagImmutable, QuotaExceeded.
        """
        if len(tags) > MOST_TAGS:
            raise TooManyTags(limit=MOST_TAGS, tags=len(tags))
        digest = _digest(reference, content)
        manifest = parse_manifest(content, content_type)
        names = (*tags,) if isinstance(reference, Digest) else (reference, *tags)

        def keep(tx: Transaction) -> Accepted:
            repository = tx.repositories.get_or_create(name, caller)
            # Of a push by digest, the tags are what a condition can protect.
            for guarded in names or (reference,) if condition.is_stated else ():
                _require(condition, guarded, tx.manifests.find(repository, guarded))
            self._check_parts(tx, repository, manifest)
            if tx.manifests.put(repository, digest, content, manifest, caller):
                tx.repositories.charge(repository, ContentKind.MANIFEST, digest, len(content))
            tx.journal.event(Action.PUSH_MANIFEST, repository, caller, digest)
            # Sorted, so that two pushes of several tags meet in one order.
            for tag in sorted(names):
                movable = partial(self._demand_movable, tx, name, tag, condition)
                if tx.tags.set(repository, tag, digest, caller, before_moving=movable):
                    tx.journal.event(Action.SET_TAG, repository, caller, digest, reference=str(tag))
            return Accepted(tx.notices)

        return Pushed(digest, names, manifest.subject), keep

    def delete(
        self, name: RepositoryName, digest: Digest, caller: Caller, condition: Condition = UNCONDITIONAL
    ) -> None:
        """Forget the manifest and every tag that points to it; both can be restored within the undo window.

        Raises: ManifestUnknown, PreconditionFailed, TagImmutable, NotAllowed while an index needs it.
        """

        def forget(tx: Transaction) -> None:
            repository = tx.repositories.find(name)
            if repository is None:
                raise ManifestUnknown(reference=str(digest))
            if not self._deletion.hold(tx, repository, digest):
                raise ManifestUnknown(reference=str(digest))
            _require(condition, digest, digest)
            holders = [] if self.sparse else tx.manifests.holders(repository, ContentKind.MANIFEST, digest)
            if holders:
                raise NotAllowed(digest=str(digest), referencedBy=str(holders[0]))
            self._deletion.end_manifest(
                tx, repository, digest, caller, before_ending=partial(self.protection.demand_all, tx, name)
            )

        self.metadata.transact(forget)

    def delete_tag(self, name: RepositoryName, tag: Tag, caller: Caller, condition: Condition = UNCONDITIONAL) -> None:
        """Forget the name, restorable from its history; the manifest stays.

        Raises: ManifestUnknown, PreconditionFailed, TagImmutable.
        """

        def forget(tx: Transaction) -> None:
            repository = tx.repositories.find(name)
            digest = self._deletion.end_tag(tx, repository, tag, caller) if repository else None
            if repository is None or digest is None:
                raise ManifestUnknown(reference=str(tag))
            _require(condition, tag, digest)
            self.protection.demand(tx, name, tag)

        self.metadata.transact(forget)

    @property
    def _deletion(self) -> Deletion:
        return Deletion(self.lease, self.undo_window)

    def _demand_movable(self, tx: Transaction, name: RepositoryName, tag: Tag, condition: Condition) -> None:
        if not condition.may_move:
            raise TagMayNotMove(reference=str(tag))
        self.protection.demand(tx, name, tag)

    def _check_parts(self, tx: Transaction, repository: Repository, manifest: Manifest) -> None:
        if self.sparse:
            return
        missing = tx.manifests.missing(repository, [each for each in manifest.references if each.is_required])
        if missing:
            raise ManifestPartsUnknown(digests=[str(each) for each in missing[:_MOST_TOLD]])


def _require(condition: Condition, reference: Tag | Digest, present: Digest | None) -> None:
    if not condition.holds(present):
        raise PreconditionFailed(reference=str(reference))


def _digest(reference: Tag | Digest, content: bytes) -> Digest:
    """The name that the content gets: by the algorithm it is pushed under, sha256 when by tag."""
    computed = Digest.of(content, reference.algorithm if isinstance(reference, Digest) else "sha256")
    if isinstance(reference, Digest) and computed != reference:
        raise DigestInvalid(digest=str(reference), computed=str(computed))
    return computed
