"""Queries: live tags and their history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import Caller, Interval, Repository
from registry.core.quota import Growth
from registry.metadata.instants import from_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import manifest, tag, tag_history
from registry.metadata.schema_people import principal
from registry.metadata.statements import Row, Statement
from registry.oci.digest import Digest
from registry.oci.names import Tag

_FIND: Final = (
    sa.select(
        sa.select(manifest.c.digest).where(manifest.c.id == tag.c.manifest_id).scalar_subquery(),
        tag.c.set_at,
        tag.c.set_by,
    )
    .where(tag.c.repository_id == p("repository"), tag.c.name == p("name"))
    .with_for_update(of=tag)
)
_POINT: Final = insert(tag).from_select(
    ["repository_id", "name", "manifest_id", "set_at", "set_by"],
    sa.select(p("repository"), p("name"), manifest.c.id, p("set_at"), p("set_by")).where(
        manifest.c.repository_id == p("repository"),
        manifest.c.digest == p("digest"),
        manifest.c.deleted_at.is_(None),
    ),
)
_ADD: Final = _POINT.on_conflict_do_nothing(index_elements=["repository_id", "name"]).returning(tag.c.manifest_id)
_MOVE: Final = _POINT.on_conflict_do_update(
    index_elements=["repository_id", "name"],
    set_={each: sa.literal_column(f"excluded.{each}") for each in ("manifest_id", "set_at", "set_by")},
).returning(tag.c.manifest_id)
_CLOSE: Final = sa.delete(tag).where(tag.c.repository_id == p("repository"), tag.c.name == p("name"))
_NAMES_OF: Final = (
    sa.select(tag.c.name)
    .select_from(tag.join(manifest, manifest.c.id == tag.c.manifest_id))
    .where(manifest.c.repository_id == p("repository"), manifest.c.digest == p("digest"))
    .order_by(tag.c.name)
)
_setter, _ender = principal.alias("setter"), principal.alias("ender")
_PRESENT: Final = (
    sa.select(manifest.c.digest, tag.c.set_at, _setter.c.name, sa.null(), sa.null())
    .select_from(tag.join(manifest, manifest.c.id == tag.c.manifest_id).join(_setter, _setter.c.id == tag.c.set_by))
    .where(tag.c.repository_id == p("repository"), tag.c.name == p("name"))
)
_HISTORY: Final = (
    sa.select(tag_history.c.digest, tag_history.c.set_at, _setter.c.name, tag_history.c.ended_at, _ender.c.name)
    .select_from(
        tag_history.join(_setter, _setter.c.id == tag_history.c.set_by).join(
            _ender, _ender.c.id == tag_history.c.ended_by
        )
    )
    .where(tag_history.c.repository_id == p("repository"), tag_history.c.name == p("name"))
    .order_by(tag_history.c.set_at.desc(), tag_history.c.id.desc())
)
_REMEMBER: Final = sa.insert(tag_history).values(
    {each: p(each) for each in ("repository_id", "name", "digest", "set_at", "set_by", "ended_at", "ended_by")}
)


class Tags:
    """`ports.Tags`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def find(self, repository: Repository, tag: Tag) -> Digest | None:
        """What the tag points to."""
        row = self._held(repository, tag)
        return Digest.unpack(row[0]) if row else None

    def set(
        self,
        repository: Repository,
        tag: Tag,
        digest: Digest,
        by: Caller,
        *,
        before_moving: Callable[[], None] | None = None,
    ) -> bool:
        """Point the tag at the manifest; its former interval becomes history."""
        former = self._held(repository, tag)
        if former is None:
            if self._point(_ADD, repository, tag, digest, by):
                if repository.is_counted:
                    self._moment.tally.add(repository.project, Growth(tags=1))
                return True
            # Nothing to point to; or somebody else was quicker to set a new tag, whose interval ends here.
            former = self._held(repository, tag)
        if former is None or former[0] == digest.packed:
            return False
        if before_moving is not None:
            before_moving()
        if not self._point(_MOVE, repository, tag, digest, by):
            return False
        self._remember(repository, tag, former, by)
        return True

    def _point(self, how: Statement, repository: Repository, tag: Tag, digest: Digest, by: Caller) -> bool:
        return bool(
            self._moment.run(
                how,
                repository=repository.id,
                name=tag.text,
                digest=digest.packed,
                set_at=self._moment.micros,
                set_by=by.principal,
            )
        )

    def _held(self, repository: Repository, tag: Tag) -> Row | None:
        row = self._moment.first(_FIND, repository=repository.id, name=tag.text)
        if row is not None and row[0] is None:
            # Set while we waited for it, to a manifest younger than what the statement saw; a new one sees it.
            row = self._moment.first(_FIND, repository=repository.id, name=tag.text)
        return row

    def history(self, repository: Repository, tag: Tag) -> Sequence[Interval]:
        """The latest first, the present included."""
        rows = self._moment.run(_HISTORY, repository=repository.id, name=tag.text)
        present = self._moment.run(_PRESENT, repository=repository.id, name=tag.text)
        return [_as_interval(row) for row in (*present, *rows)]

    def close(self, repository: Repository, tag: Tag, by: Caller) -> Digest | None:
        """End the tag's present interval; what it pointed to."""
        former = self._held(repository, tag)
        if former is None:
            return None
        self._remember(repository, tag, former, by)
        self._moment.run(_CLOSE, repository=repository.id, name=tag.text)
        return Digest.unpack(former[0])

    def close_all(self, repository: Repository, digest: Digest, by: Caller) -> Sequence[Tag]:
        """End every tag of a manifest; their names."""
        names = [Tag(row[0]) for row in self._moment.run(_NAMES_OF, repository=repository.id, digest=digest.packed)]
        for name in names:
            self.close(repository, name, by)
        return names

    def _remember(self, repository: Repository, tag: Tag, former: Row, by: Caller) -> None:
        digest, set_at, set_by = former
        self._moment.run(
            _REMEMBER,
            repository_id=repository.id,
            name=tag.text,
            digest=digest,
            set_at=set_at,
            set_by=set_by,
            ended_at=self._moment.micros,
            ended_by=by.principal,
        )


def _as_interval(row: Row) -> Interval:
    digest, since, by, ended, ended_by = row
    ends = None if ended is None else from_micros(ended)
    return Interval(Digest.unpack(digest), from_micros(since), by, ends, ended_by or "")
