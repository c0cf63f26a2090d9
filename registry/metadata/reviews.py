"""Queries: what the collector is to look at, and what is known of it beforehand."""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.collect_facts import Prospect, Review
from registry.core.facts import ContentKind
from registry.metadata.instants import from_micros, to_micros
from registry.metadata.lots import DIGEST, NUMBER, filled, lot
from registry.metadata.manifests import HELD_AS
from registry.metadata.moment import Moment
from registry.metadata.schema import blob, link, manifest, reference, repository, review
from registry.metadata.statements import Row, Statement
from registry.oci.digest import Digest

_order: Final = (review.c.due_at, review.c.repository_id, review.c.kind, review.c.digest)
_after: Final = sa.tuple_(*_order) > sa.tuple_(p("due"), p("repository"), p("kind"), p("digest"))
_DUE: Final = (
    sa.select(review.c.repository_id, review.c.kind, review.c.digest, review.c.due_at)
    .where(review.c.due_at <= p("until"), _after)
    .order_by(*_order)
    .limit(p("limit"))
)
_COUNT: Final = sa.select(sa.func.count()).select_from(review).where(review.c.due_at <= p("until"))
_NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

_other, _twin = link.alias("other"), manifest.alias("twin")
_is_blob: Final = review.c.kind == sa.literal_column("'blob'")
_is_manifest: Final = review.c.kind == sa.literal_column("'manifest'")


def _is_held(kind: ContentKind) -> sa.Exists:
    """Whether a manifest of the repository refers to it, as to something of that kind."""
    first, last = HELD_AS[kind]
    return sa.exists().where(
        reference.c.repository_id == review.c.repository_id,
        reference.c.digest == review.c.digest,
        reference.c.kind.between(sa.literal_column(str(first.value)), sa.literal_column(str(last.value))),
    )


_PROSPECTS: Final = (
    sa.select(
        review.c.repository_id,
        review.c.kind,
        review.c.digest,
        review.c.due_at,
        repository.c.name,
        sa.func.coalesce(blob.c.size, manifest.c.size),
        sa.case((_is_blob, _is_held(ContentKind.BLOB)), else_=_is_held(ContentKind.MANIFEST)),
        link.c.lease_until,
        sa.case(
            (
                _is_blob,
                sa.exists().where(_other.c.blob_id == blob.c.id, _other.c.repository_id != review.c.repository_id),
            ),
            else_=sa.exists().where(_twin.c.content_id == manifest.c.content_id, _twin.c.id != manifest.c.id),
        ),
        manifest.c.deleted_at,
    )
    .select_from(
        review.join(repository, repository.c.id == review.c.repository_id)
        .outerjoin(blob, sa.and_(_is_blob, blob.c.digest == review.c.digest))
        .outerjoin(link, sa.and_(link.c.blob_id == blob.c.id, link.c.repository_id == review.c.repository_id))
        .outerjoin(
            manifest,
            sa.and_(
                _is_manifest,
                manifest.c.repository_id == review.c.repository_id,
                manifest.c.digest == review.c.digest,
            ),
        )
    )
    .where(_after)
    .order_by(*_order)
    .limit(p("limit"))
)

_lot: Final = lot(repository_id=NUMBER, digest=DIGEST, due_at=NUMBER, later=NUMBER)
# As they were read: whoever enqueues one anew meanwhile has the last word, also before it has said it.
_HOLD: Final = (
    sa.select(review.c.repository_id, review.c.digest, review.c.due_at, _lot.c.later)
    .select_from(
        _lot.join(
            review,
            sa.and_(
                review.c.repository_id == _lot.c.repository_id,
                review.c.kind == p("of_kind"),
                review.c.digest == _lot.c.digest,
                review.c.due_at == _lot.c.due_at,
            ),
        )
    )
    .order_by(review.c.repository_id, review.c.digest)
    .with_for_update(of=review, skip_locked=True)
)
_this: Final = (
    review.c.repository_id == p("repository"),
    review.c.kind == p("of_kind"),
    review.c.digest == p("which"),
    review.c.due_at == p("due"),
)
_SETTLE: Final = sa.delete(review).where(*_this)
_POSTPONE: Final = sa.update(review).where(*_this).values(due_at=p("later"))


class Reviews:
    """`nouns.Reviews`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def due(self, until: datetime, last: Review | None, limit: int) -> Sequence[Review]:
        """Reviews that are due by `until`, after `last`, the longest due first."""
        rows = self._moment.run(_DUE, until=to_micros(until), **_place(last), limit=limit)
        return list(map(_as_review, rows))

    def counts(self) -> tuple[int, int]:
        """How many reviews wait, and how many of them are due."""
        waiting, due = (
            self._moment.run(_COUNT, until=until)[0][0] for until in (to_micros(_NEVER), self._moment.micros)
        )
        return int(waiting), int(due)

    def prospects(self, last: Review | None, limit: int) -> Sequence[Prospect]:
        """What is known of all candidates after `last`, due or not, in the same order."""
        return list(map(_as_prospect, self._moment.run(_PROSPECTS, **_place(last), limit=limit)))

    def settle(self, reviews: Some[Review]) -> None:
        """Forget them, but for those that somebody has enqueued anew, or is about to."""
        self._each(_SETTLE, dict.fromkeys(reviews, _NEVER))

    def postpone(self, later: Mapping[Review, datetime]) -> None:
        """The same, but look again then."""
        self._each(_POSTPONE, later)

    def _each(self, statement: Statement, later: Mapping[Review, datetime]) -> None:
        for kind in ContentKind:
            wanted = [
                (each.repository, each.digest, to_micros(each.due), to_micros(due))
                for each, due in later.items()
                if each.kind is kind
            ]
            held = self._moment.run(_HOLD, of_kind=kind.value, **filled(wanted)) if wanted else []
            rows = [dict(zip(("repository", "which", "due", "later"), row, strict=True)) for row in held]
            self._moment.run_many(statement, [row | {"of_kind": kind.value} for row in rows])


def _place(last: Review | None) -> dict[str, object]:
    if last is None:
        return {"due": 0, "repository": 0, "kind": "", "digest": b""}
    place = {"due": to_micros(last.due), "repository": last.repository, "kind": last.kind.value}
    return place | {"digest": last.digest.packed}


def _as_review(row: Row) -> Review:
    return Review(row[0], ContentKind(row[1]), Digest.unpack(row[2]), from_micros(row[3]))


def _as_prospect(row: Row) -> Prospect:
    name, size, is_held, lease, is_shared, deleted = row[4:]
    return Prospect(
        _as_review(row),
        name,
        size,
        bool(is_held),
        None if lease is None else from_micros(lease),
        bool(is_shared),
        None if deleted is None else from_micros(deleted),
    )
