"""Queries: tags and manifests as rules of retention look at them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import Repository
from registry.core.tag_facts import StandingTag, UntaggedManifest
from registry.metadata.instants import from_micros
from registry.metadata.lots import DIGEST, filled, lot
from registry.metadata.moment import Moment
from registry.metadata.schema import manifest, reference, tag, tag_history
from registry.metadata.statements import Row
from registry.oci.digest import Digest
from registry.oci.manifest import Kind
from registry.oci.names import Tag

_STANDING: Final = (
    sa.select(tag.c.name, manifest.c.digest, tag.c.set_at, manifest.c.pushed_at, manifest.c.pulled_at)
    .select_from(tag.join(manifest, manifest.c.id == tag.c.manifest_id))
    .where(tag.c.repository_id == p("repository"))
)
_TAGS: Final = _STANDING.where(tag.c.name > p("last")).order_by(tag.c.name).limit(p("limit"))
_ONE: Final = _STANDING.where(tag.c.name == p("name"))
_HOLD: Final = (
    sa.select(tag.c.manifest_id)
    .where(tag.c.repository_id == p("repository"), tag.c.name == p("name"))
    .with_for_update()
)
_TAGGED: Final = (
    sa.select(tag.c.name)
    .select_from(tag.join(manifest, manifest.c.id == tag.c.manifest_id))
    .where(manifest.c.repository_id == p("repository"), manifest.c.digest == p("which"))
    .limit(1)
)

_lost: Final = (
    sa.select(sa.func.max(tag_history.c.ended_at))
    .where(tag_history.c.repository_id == manifest.c.repository_id, tag_history.c.digest == manifest.c.digest)
    .scalar_subquery()
)
_subject: Final = manifest.alias("subject")
_UNTAGGED: Final = sa.select(manifest.c.digest, manifest.c.pushed_at, manifest.c.pulled_at, _lost).where(
    manifest.c.repository_id == p("repository"),
    manifest.c.deleted_at.is_(None),
    ~sa.exists().where(tag.c.manifest_id == manifest.c.id),
    ~sa.exists().where(
        reference.c.repository_id == manifest.c.repository_id,
        reference.c.digest == manifest.c.digest,
        reference.c.kind == p("child"),
    ),
    ~sa.exists().where(_subject.c.repository_id == manifest.c.repository_id, _subject.c.digest == manifest.c.subject),
)
_UNTAGGED_PAGE: Final = _UNTAGGED.where(manifest.c.digest > p("last")).order_by(manifest.c.digest).limit(p("limit"))
_UNTAGGED_ONE: Final = _UNTAGGED.where(manifest.c.digest == p("which"))
_asked: Final = lot(digest=DIGEST)
_GONE: Final = sa.select(_asked.c.digest).where(
    ~sa.exists().where(manifest.c.repository_id == p("repository"), manifest.c.digest == _asked.c.digest),
    sa.exists().where(tag_history.c.repository_id == p("repository"), tag_history.c.digest == _asked.c.digest),
)


class Standings:
    """`nouns.Standings`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def tags(self, repository: Repository, last: str, limit: int) -> Sequence[StandingTag]:
        """In the order of their names, after `last`."""
        return [_as_standing(row) for row in self._moment.run(_TAGS, repository=repository.id, last=last, limit=limit)]

    def hold(self, repository: Repository, tag: Tag) -> StandingTag | None:
        """The tag as it stands by now; looked at by a new statement once it is held."""
        this = {"repository": repository.id, "name": tag.text}
        if self._moment.first(_HOLD, **this) is None:
            return None
        row = self._moment.first(_ONE, **this)
        return _as_standing(row) if row else None

    def is_tagged(self, repository: Repository, digest: Digest) -> bool:
        """Whether any tag points to the manifest."""
        return bool(self._moment.run(_TAGGED, repository=repository.id, which=digest.packed))

    def untagged(self, repository: Repository, last: Digest | None, limit: int) -> Sequence[UntaggedManifest]:
        """Visible ones that nothing leads to, by digest, after `last`."""
        after = last.packed if last else b""
        rows = self._moment.run(
            _UNTAGGED_PAGE, repository=repository.id, child=Kind.CHILD.value, last=after, limit=limit
        )
        return [_as_untagged(row) for row in rows]

    def is_untagged(self, repository: Repository, manifest: UntaggedManifest) -> bool:
        """Whether it is one of these still, of no use since then."""
        row = self._moment.first(
            _UNTAGGED_ONE, repository=repository.id, child=Kind.CHILD.value, which=manifest.digest.packed
        )
        return row is not None and _as_untagged(row) == manifest

    def gone(self, repository: Repository, digests: Sequence[Digest]) -> Sequence[Digest]:
        """Those that tags pointed to once, and that have no row any more."""
        rows = self._moment.run(_GONE, repository=repository.id, **filled((each,) for each in digests))
        return [Digest.unpack(row[0]) for row in rows]


def _as_standing(row: Row) -> StandingTag:
    name, digest, since, pushed, pulled = row
    return StandingTag(Tag(name), Digest.unpack(digest), from_micros(since), from_micros(pushed), _instant(pulled))


def _as_untagged(row: Row) -> UntaggedManifest:
    digest, *used = row
    return UntaggedManifest(Digest.unpack(digest), from_micros(max(each for each in used if each is not None)))


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
