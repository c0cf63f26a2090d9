"""Queries: taking apart a repository that nothing restores any more, a few rows at a time (the collector, design §3).

Its row is held for each piece: so it is not restored meanwhile, and of several processes one is at it. Nothing is taken
from under a row that points to it; should one have come all the same, a foreign key refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.collect_facts import HeldManifest, Review
from registry.core.facts import ContentKind
from registry.core.nouns.deletion import Mark
from registry.metadata.deleted_manifests import DeletedManifests
from registry.metadata.deletions import set_deleted
from registry.metadata.instants import BEFORE_ALL_TIME, from_micros, to_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import content, link, manifest, repository, review, tag, tag_history, upload
from registry.metadata.statements import Row
from registry.oci.digest import Digest

_DUE: Final = (
    sa.select(repository.c.deleted_at, repository.c.id)
    .where(
        repository.c.deleted_at <= p("before"),
        sa.tuple_(repository.c.deleted_at, repository.c.id) > sa.tuple_(p("deleted_at"), p("after")),
    )
    .order_by(repository.c.deleted_at, repository.c.id)
    .limit(p("limit"))
)
_HOLD: Final = (
    sa.select(repository.c.deleted_at)
    .where(repository.c.id == p("repository"), repository.c.deleted_at <= p("before"))
    .with_for_update(skip_locked=True)
)
_MANIFESTS: Final = (
    sa.select(manifest.c.id, manifest.c.digest)
    # With their bytes, as one alone is held.
    .select_from(manifest.join(content, content.c.id == manifest.c.content_id))
    .where(manifest.c.repository_id == p("repository"))
    .order_by(manifest.c.digest)
    .limit(p("limit"))
    .with_for_update(skip_locked=True)
)
_UNTAG: Final = sa.delete(tag).where(tag.c.manifest_id == p("manifest"))
_FORGET_REVIEW: Final = sa.delete(review).where(
    review.c.repository_id == p("repository"),
    review.c.kind == ContentKind.MANIFEST.value,
    review.c.digest == p("which"),
)
_FORGET_HISTORY: Final = (
    sa.delete(tag_history)
    .where(
        tag_history.c.id.in_(
            sa.select(tag_history.c.id).where(tag_history.c.repository_id == p("repository")).limit(p("limit"))
        )
    )
    .returning(tag_history.c.id)
)
_holding: Final = [
    sa.exists().where(table.c.repository_id == repository.c.id)
    for table in (manifest, tag, tag_history, link, upload, review)
]
_REMOVE: Final = (
    sa.delete(repository)
    .where(repository.c.id == p("repository"), *(~each for each in _holding))
    .returning(repository.c.id)
)
_unused: Final = (repository.c.pushed_at.is_(None), repository.c.deleted_at.is_(None))
_UNUSED: Final = (
    sa.select(repository.c.created_at, repository.c.id)
    .where(
        *_unused,
        repository.c.created_at <= p("before"),
        sa.tuple_(repository.c.created_at, repository.c.id) > sa.tuple_(p("created_at"), p("after")),
        *(~each for each in _holding),
    )
    .order_by(repository.c.created_at, repository.c.id)
    .limit(p("limit"))
)
_HOLD_UNUSED: Final = (
    sa.select(repository.c.id).where(repository.c.id == p("repository"), *_unused).with_for_update(skip_locked=True)
)


class Dissolution:
    """`nouns.Dissolution`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._manifests = DeletedManifests(moment)

    def due(self, before: datetime, after: Mark, limit: int) -> Sequence[Mark]:
        """The longest deleted first."""
        since, last = after
        rows = self._moment.run(_DUE, before=to_micros(before), deleted_at=to_micros(since), after=last, limit=limit)
        return list(map(_as_mark, rows))

    def take(self, repository: int, before: datetime) -> bool:
        """Whether it is ours to take apart; a part of it comes back under no window, longer as it may be by now."""
        held = self._moment.first(_HOLD, repository=repository, before=to_micros(before))
        if held is not None and held[0] != BEFORE_ALL_TIME:
            self._moment.run(set_deleted, repository=repository, deleted_at=BEFORE_ALL_TIME)
        return held is not None

    def remove_manifests(self, repository: int, limit: int) -> int:
        """In the order of their digests, but for those that somebody else holds."""
        held = self._moment.run(_MANIFESTS, repository=repository, limit=limit)
        now = from_micros(self._moment.micros)
        for manifest_id, digest in held:
            self._moment.run(_UNTAG, manifest=manifest_id)
            this = Review(repository, ContentKind.MANIFEST, Digest.unpack(digest), now)
            self._manifests.remove(this, HeldManifest(manifest_id, now))
            self._moment.run(_FORGET_REVIEW, repository=repository, which=digest)
        return len(held)

    def forget_history(self, repository: int, limit: int) -> int:
        """In no order."""
        return len(self._moment.run(_FORGET_HISTORY, repository=repository, limit=limit))

    def remove(self, repository: int) -> bool:
        """Whether nothing was left of it."""
        return bool(self._moment.run(_REMOVE, repository=repository))

    def unused(self, before: datetime, after: Mark, limit: int) -> Sequence[Mark]:
        """The oldest first."""
        since, last = after
        rows = self._moment.run(_UNUSED, before=to_micros(before), created_at=to_micros(since), after=last, limit=limit)
        return list(map(_as_mark, rows))

    def hold_unused(self, repository: int) -> bool:
        """Whether it is nobody's."""
        return bool(self._moment.run(_HOLD_UNUSED, repository=repository))


def _as_mark(row: Row) -> Mark:
    return from_micros(row[0]), row[1]
