"""Queries: what is to be looked at, what holds it, and how it goes (the collector, design 3).

Where the database knows row locks, a candidate is held by a statement that passes over what somebody else holds, and
what might hold it is asked by another one, which sees all that was committed by then. A foreign key that refuses means
that it is wanted after all: the transaction is run again, and finds out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.collect_facts import HeldManifest, Review
from registry.core.facts import ContentKind
from registry.core.quota import Growth
from registry.metadata.instants import from_micros, to_micros
from registry.metadata.manifests import HELD_AS
from registry.metadata.moment import Moment
from registry.metadata.objects import Objects
from registry.metadata.schema import (
    blob,
    content,
    link,
    manifest,
    project_content,
    reference,
    repository,
    review,
    tag,
)
from registry.metadata.statements import Row
from registry.oci.digest import Digest
from registry.oci.manifest import Kind

_order: Final = (review.c.due_at, review.c.repository_id, review.c.kind, review.c.digest)
_DUE: Final = (
    sa.select(review.c.repository_id, review.c.kind, review.c.digest, review.c.due_at)
    .where(
        review.c.due_at <= p("until"),
        sa.tuple_(*_order) > sa.tuple_(p("due"), p("repository"), p("kind"), p("digest")),
    )
    .order_by(*_order)
    .limit(p("limit"))
)
_COUNT: Final = sa.select(sa.func.count()).select_from(review).where(review.c.due_at <= p("until"))
_NAME_OF: Final = sa.select(repository.c.name).where(repository.c.id == p("repository"))
_NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_this: Final = (
    review.c.repository_id == p("repository"),
    review.c.kind == p("of_kind"),
    review.c.digest == p("which"),
    # As it was read: whoever enqueues it anew meanwhile has the last word.
    review.c.due_at == p("due"),
)
_SETTLE: Final = sa.delete(review).where(*_this)
_POSTPONE: Final = sa.update(review).where(*_this).values(due_at=p("later"))
_AGAIN: Final[dict[str, Any]] = {"index_elements": ["repository_id", "kind", "digest"], "set_": {"due_at": p("due")}}

_link: Final = (link.c.repository_id == p("repository"), link.c.digest == p("which"))
_KNOWS_LINK: Final = sa.select(link.c.blob_id).where(*_link)
_LEASE_OF: Final = sa.select(link.c.lease_until).where(*_link)
_HOLD_LINK: Final = sa.select(link.c.lease_until).where(*_link).with_for_update(skip_locked=True)
# By manifests that are deleted too: as long as they can be restored, their rows are there.
_REFERENCED: Final = (
    sa.select(reference.c.manifest_id)
    .where(
        reference.c.repository_id == p("repository"),
        reference.c.digest == p("which"),
        reference.c.kind >= p("first_kind"),
        reference.c.kind <= p("last_kind"),
    )
    .limit(1)
)
_REMOVE_LINK: Final = sa.delete(link).where(*_link)

_blob: Final = blob.c.digest == p("which")
_KNOWS_BLOB: Final = sa.select(blob.c.id).where(_blob)
_HOLD_BLOB: Final = sa.select(blob.c.id).where(_blob).with_for_update(skip_locked=True)
_LINKED: Final = (
    sa.select(link.c.repository_id).select_from(link.join(blob, blob.c.id == link.c.blob_id)).where(_blob).limit(1)
)
_REMOVE_BLOB: Final = sa.delete(blob).where(_blob).returning(blob.c.object_id, blob.c.content_id)
_REMOVE_CONTENT: Final = sa.delete(content).where(
    content.c.id == p("content"),
    ~sa.exists().where(manifest.c.content_id == content.c.id),
    ~sa.exists().where(blob.c.content_id == content.c.id),
)

_manifest: Final = (manifest.c.repository_id == p("repository"), manifest.c.digest == p("which"))
_KNOWS_MANIFEST: Final = sa.select(manifest.c.id).where(*_manifest)
_DELETED_AT: Final = sa.select(manifest.c.deleted_at).where(*_manifest)
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

_charge: Final = (
    project_content.c.project_id == p("project"),
    project_content.c.kind == p("of_kind"),
    project_content.c.digest == p("which"),
)
_PROJECT_OF: Final = sa.select(repository.c.project_id).where(repository.c.id == p("repository"))
_ONE_LINK_LESS: Final = (
    sa.update(project_content)
    .where(*_charge)
    .values(links=project_content.c.links - 1)
    .returning(project_content.c.links, project_content.c.size)
)
_UNCHARGE: Final = sa.delete(project_content).where(*_charge)


class Collection:
    """`nouns.Collection`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._objects = Objects(moment)

    # The queue

    def due(self, until: datetime, last: Review | None, limit: int) -> Sequence[Review]:
        """Reviews that are due by `until`, after `last`, the longest due first."""
        rows = self._moment.run(
            _DUE,
            until=to_micros(until),
            due=to_micros(last.due) if last else 0,
            repository=last.repository if last else 0,
            kind=last.kind.value if last else "",
            digest=last.digest.packed if last else b"",
            limit=limit,
        )
        return [Review(row[0], ContentKind(row[1]), Digest.unpack(row[2]), from_micros(row[3])) for row in rows]

    def waiting(self, last: Review | None, limit: int) -> Sequence[Review]:
        """All reviews after `last`, due or not, in the same order."""
        return self.due(_NEVER, last, limit)

    def counts(self) -> tuple[int, int]:
        """How many reviews wait, and how many of them are due."""
        waiting, due = (
            self._moment.run(_COUNT, until=until)[0][0] for until in (to_micros(_NEVER), self._moment.micros)
        )
        return int(waiting), int(due)

    def name_of(self, review: Review) -> str:
        """The repository's name."""
        return str(self._moment.run(_NAME_OF, repository=review.repository)[0][0])

    def lease_of(self, review: Review) -> datetime | None:
        """When the link's lease ends; None where there is no link."""
        row = self._moment.first(_LEASE_OF, **_which(review))
        return from_micros(row[0]) if row else None

    def deleted_at(self, review: Review) -> datetime | None:
        """When the manifest was deleted; None where it was not, or is not there."""
        row = self._moment.first(_DELETED_AT, **_which(review))
        return from_micros(row[0]) if row and row[0] is not None else None

    def settle(self, review: Review) -> None:
        """Forget it, unless somebody has enqueued it anew."""
        self._moment.run(_SETTLE, **_named(review), due=to_micros(review.due))

    def postpone(self, review: Review, due: datetime) -> None:
        """The same, but look again then."""
        self._moment.run(_POSTPONE, **_named(review), due=to_micros(review.due), later=to_micros(due))

    # Links and blobs

    def knows_link(self, review: Review) -> bool:
        """Whether there is such a link, held by whomever."""
        return bool(self._moment.run(_KNOWS_LINK, **_which(review)))

    def hold_link(self, review: Review) -> datetime | None:
        """Hold the link; the end of its lease. None when somebody else holds it."""
        row = self._moment.first(_HOLD_LINK, **_which(review))
        return from_micros(row[0]) if row else None

    def is_referenced(self, review: Review) -> bool:
        """Whether a manifest of the repository references the blob."""
        return self._is_held(review, ContentKind.BLOB)

    def remove_link(self, review: Review) -> None:
        """The repository serves it no more, and its project is refunded."""
        self._moment.run(_REMOVE_LINK, **_which(review))
        self._refund(review)

    def knows_blob(self, digest: Digest) -> bool:
        """Whether there is such a blob, held by whomever."""
        return bool(self._moment.run(_KNOWS_BLOB, which=digest.packed))

    def hold_blob(self, digest: Digest) -> bool:
        """Hold the blob; whether nobody else does."""
        return bool(self._moment.run(_HOLD_BLOB, which=digest.packed))

    def is_linked(self, digest: Digest) -> bool:
        """Whether any repository links it, visibly or not."""
        return bool(self._moment.run(_LINKED, which=digest.packed))

    def remove_blob(self, digest: Digest) -> None:
        """Its bytes are nobody's: an object is doomed, a row's bytes go at once."""
        for object_id, content_id in self._moment.run(_REMOVE_BLOB, which=digest.packed):
            if object_id is not None:
                self._objects.doom(object_id)
            else:
                self._moment.run(_REMOVE_CONTENT, content=content_id)

    # Manifests

    def knows_manifest(self, review: Review) -> bool:
        """Whether there is such a manifest, held by whomever."""
        return bool(self._moment.run(_KNOWS_MANIFEST, **_which(review)))

    def hold_manifest(self, review: Review) -> HeldManifest | None:
        """Hold it. None when somebody else does."""
        row: Row | None = self._moment.first(_HOLD_MANIFEST, **_which(review))
        return HeldManifest(row[0], None if row[1] is None else from_micros(row[1])) if row else None

    def is_child(self, review: Review) -> bool:
        """Whether an index of the repository lists it."""
        return self._is_held(review, ContentKind.MANIFEST)

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

    def remove_manifest(self, review: Review, held: HeldManifest) -> None:
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
        for (content_id,) in self._moment.run(_REMOVE_MANIFEST, manifest=held.id):
            self._moment.run(_REMOVE_CONTENT, content=content_id)
        self._refund(review)

    def _is_held(self, review: Review, kind: ContentKind) -> bool:
        first, last = HELD_AS[kind]
        return bool(self._moment.run(_REFERENCED, **_which(review), first_kind=first.value, last_kind=last.value))

    def _refund(self, review: Review) -> None:
        """One link of the project less; its size is given back with the last."""
        project = self._moment.run(_PROJECT_OF, repository=review.repository)[0][0]
        this = {"project": project, "of_kind": review.kind.value, "which": review.digest.packed}
        for links, size in self._moment.run(_ONE_LINK_LESS, **this):
            if links == 0:
                self._moment.run(_UNCHARGE, **this)
                if size:
                    self._moment.tally.add(project, Growth(charged=-size))


def _which(review: Review) -> dict[str, object]:
    return {"repository": review.repository, "which": review.digest.packed}


def _named(review: Review) -> dict[str, object]:
    return _which(review) | {"of_kind": review.kind.value}
