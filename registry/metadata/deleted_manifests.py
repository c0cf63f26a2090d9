"""Queries: what is deleted and can be restored, and how a deleted manifest goes (the collector, design 3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.collect_facts import HeldManifest, Review
from registry.core.facts import ContentKind, DeletedManifest, Repository
from registry.metadata.contents import remove_contents
from registry.metadata.instants import BEFORE_ALL_TIME, from_micros, to_micros
from registry.metadata.manifests import HELD_AS
from registry.metadata.moment import Moment
from registry.metadata.refunds import refund
from registry.metadata.schema import content, manifest, reference, repository, review, tag
from registry.oci.digest import Digest
from registry.oci.manifest import Kind

_AGAIN: Final[dict[str, Any]] = {"index_elements": ["repository_id", "kind", "digest"], "set_": {"due_at": p("due")}}
_manifest: Final = (manifest.c.repository_id == p("repository"), manifest.c.digest == p("which"))
_KNOWS_MANIFEST: Final = sa.select(manifest.c.id).where(*_manifest)
# With its bytes, which whoever pushes it again holds before its row: each would wait for the other.
_HOLD_MANIFEST: Final = (
    sa.select(manifest.c.id, manifest.c.deleted_at)
    .select_from(manifest.join(content, content.c.id == manifest.c.content_id))
    .where(*_manifest)
    .with_for_update(skip_locked=True)
)
_HOLD_REFERRERS: Final = (
    sa.select(manifest.c.id)
    .where(
        manifest.c.repository_id == p("repository"), manifest.c.subject == p("which"), manifest.c.deleted_at.is_(None)
    )
    .order_by(manifest.c.digest)
    .with_for_update()
)
_DELETE_REFERRER: Final = (
    sa.update(manifest)
    .where(
        manifest.c.id == p("referrer"),
        ~sa.exists().where(tag.c.manifest_id == manifest.c.id),
        ~sa.exists().where(
            reference.c.repository_id == manifest.c.repository_id,
            reference.c.digest == manifest.c.digest,
            reference.c.kind == p("child"),
        ),
    )
    .values(deleted_at=p("deleted_at"))
    .returning(manifest.c.digest)
)
_REVIEW: Final = (
    insert(review)
    .values(repository_id=p("repository"), kind=p("of_kind"), digest=p("which"), due_at=p("due"))
    .on_conflict_do_update(**_AGAIN)
)
_REVIEW_PARTS: Final = (
    insert(review)
    .from_select(
        ["repository_id", "kind", "digest", "due_at"],
        sa.select(
            reference.c.repository_id,
            sa.cast(p("of_kind"), sa.Text),
            reference.c.digest,
            sa.cast(p("due"), sa.BigInteger),
        )
        .where(
            reference.c.manifest_id == p("manifest"),
            reference.c.kind >= p("first_kind"),
            reference.c.kind <= p("last_kind"),
        )
        .distinct()
        .order_by(reference.c.digest),
    )
    .on_conflict_do_update(**_AGAIN)
)
_REMOVE_REFERENCES: Final = sa.delete(reference).where(reference.c.manifest_id == p("manifest"))
_REMOVE_MANIFEST: Final = sa.delete(manifest).where(manifest.c.id == p("manifest")).returning(manifest.c.content_id)
_CHILD: Final = (
    sa.select(reference.c.manifest_id)
    .where(
        reference.c.repository_id == p("repository"),
        reference.c.digest == p("which"),
        reference.c.kind == p("child"),
    )
    .limit(1)
)
_listed, _index = manifest.alias("listed"), manifest.alias("index")
_CHILDREN: Final = (
    sa.select(_listed.c.digest)
    .select_from(
        _index.join(reference, reference.c.manifest_id == _index.c.id).join(
            _listed,
            sa.and_(_listed.c.repository_id == _index.c.repository_id, _listed.c.digest == reference.c.digest),
        )
    )
    .where(
        _index.c.repository_id == p("repository"),
        _index.c.digest == p("which"),
        reference.c.kind == p("child"),
        _listed.c.deleted_at.is_not(None),
    )
    .distinct()
    .order_by(_listed.c.digest)
)
_PAGE: Final = (
    sa.select(manifest.c.digest, manifest.c.media_type, manifest.c.size, manifest.c.deleted_at)
    .where(
        manifest.c.repository_id == p("repository"),
        manifest.c.digest > p("last"),
        manifest.c.deleted_at > p("since"),
    )
    .order_by(manifest.c.digest)
    .limit(p("limit"))
)
_PURGE: Final = (
    sa.update(manifest)
    .where(
        manifest.c.repository_id == p("repository"),
        manifest.c.digest == p("which"),
        manifest.c.deleted_at.is_not(None),
    )
    .values(deleted_at=p("purged_at"))
    .returning(manifest.c.id)
)
_PROJECT_OF: Final = sa.select(repository.c.project_id).where(repository.c.id == p("repository"))


class DeletedManifests:
    """`nouns.DeletedManifests`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def knows(self, review: Review) -> bool:
        """Whether there is such a manifest, held by whomever."""
        return bool(self._moment.run(_KNOWS_MANIFEST, **_which(review)))

    def hold(self, review: Review) -> HeldManifest | None:
        """Hold it. None when somebody else does."""
        row = self._moment.first(_HOLD_MANIFEST, **_which(review))
        return HeldManifest(row[0], None if row[1] is None else from_micros(row[1])) if row else None

    def is_child(self, review: Review) -> bool:
        """Whether an index of the repository lists it."""
        return bool(self._moment.run(_CHILD, **_which(review), child=Kind.CHILD.value))

    def children(self, repository: Repository, digest: Digest) -> Sequence[Digest]:
        """Those that an index lists, deleted or not, and that are deleted themselves, by their digests."""
        rows = self._moment.run(_CHILDREN, repository=repository.id, which=digest.packed, child=Kind.CHILD.value)
        return [Digest.unpack(row[0]) for row in rows]

    def delete_referrers(self, review: Review, due: datetime) -> None:
        """Those that nothing else leads to are deleted, restorable until they are looked at, when that is `due`."""
        for (referrer,) in self._moment.run(_HOLD_REFERRERS, **_which(review)):
            gone = self._moment.run(
                _DELETE_REFERRER, referrer=referrer, child=Kind.CHILD.value, deleted_at=self._moment.micros
            )
            for (digest,) in gone:
                self._moment.run(
                    _REVIEW,
                    repository=review.repository,
                    of_kind=ContentKind.MANIFEST.value,
                    which=digest,
                    due=to_micros(due),
                )

    def remove(self, review: Review, held: HeldManifest) -> None:
        """It cannot be restored any more; what it referenced is looked at, and its project is refunded."""
        for kind, (first, last) in HELD_AS.items():
            self._moment.run(
                _REVIEW_PARTS,
                of_kind=kind.value,
                manifest=held.id,
                first_kind=first.value,
                last_kind=last.value,
                due=self._moment.micros,
            )
        self._moment.run(_REMOVE_REFERENCES, manifest=held.id)
        contents = self._moment.run(_REMOVE_MANIFEST, manifest=held.id)
        remove_contents(self._moment, [row[0] for row in contents])
        [(project,)] = self._moment.run(_PROJECT_OF, repository=review.repository)
        refund(self._moment, ContentKind.MANIFEST, [(project, review.digest)])

    def page(
        self, repository: Repository, since: datetime, last: Digest | None, limit: int
    ) -> Sequence[DeletedManifest]:
        """By their digests."""
        rows = self._moment.run(
            _PAGE,
            repository=repository.id,
            since=to_micros(since),
            last=last.packed if last else b"",
            limit=limit,
        )
        return [DeletedManifest(Digest.unpack(row[0]), row[1], row[2], from_micros(row[3])) for row in rows]

    def purge(self, repository: Repository, digest: Digest) -> bool:
        """Whether it was deleted."""
        purged = self._moment.run(_PURGE, repository=repository.id, which=digest.packed, purged_at=BEFORE_ALL_TIME)
        return bool(purged)


def _which(review: Review) -> dict[str, object]:
    return {"repository": review.repository, "which": review.digest.packed}
