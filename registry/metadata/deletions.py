"""Queries: repositories that are deleted and can be restored (design §3).

Whoever pushes holds the repository's row, shared with others who do; to delete it waits for them, and whoever comes
later finds no repository of that name, or makes another one. What is purged was deleted before all time: no window
reaches that far back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import DeletedRepository, Repository, UploadSession
from registry.core.quota import Growth
from registry.metadata.instants import BEFORE_ALL_TIME, from_micros, to_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import repository, tag, upload
from registry.metadata.statements import Row
from registry.metadata.uploads import as_session, upload_sessions
from registry.oci.names import RepositoryName, Tag

_LOT: Final = 500

_HOLD_SESSIONS: Final = (
    upload_sessions.where(upload.c.repository_id == p("repository")).order_by(upload.c.id).with_for_update(of=upload)
)
# Not merely for an update, which those who push would not keep from: their hold is the weakest there is.
_HOLD_LIVE: Final = (
    sa.select(repository.c.uuid)
    .where(repository.c.id == p("repository"), repository.c.deleted_at.is_(None))
    .with_for_update()
)
set_deleted: Final = sa.update(repository).where(repository.c.id == p("repository")).values(deleted_at=p("deleted_at"))
_DELETED: Final = sa.select(
    repository.c.uuid,
    repository.c.id,
    repository.c.name,
    repository.c.project_id,
    repository.c.pushed_at,
    repository.c.deleted_at,
)
_PAGE: Final = (
    _DELETED.where(
        repository.c.deleted_at > p("since"),
        sa.tuple_(repository.c.name, repository.c.uuid) > sa.tuple_(p("last_name"), p("last_uuid")),
    )
    .order_by(repository.c.name, repository.c.uuid)
    .limit(p("limit"))
)
_LATEST: Final = (
    _DELETED.where(repository.c.name == p("name"), repository.c.deleted_at > BEFORE_ALL_TIME)
    .order_by(repository.c.deleted_at.desc())
    .limit(1)
)
_HOLD: Final = _DELETED.where(repository.c.uuid == p("uuid"), repository.c.deleted_at.is_not(None)).with_for_update()
_RESTORE: Final = (
    sa.update(repository).where(repository.c.id == p("repository")).values(deleted_at=sa.null(), name=p("as_name"))
)
_TAGS: Final = (
    sa.select(tag.c.name)
    .where(tag.c.repository_id == p("repository"), tag.c.name > p("last"))
    .order_by(tag.c.name)
    .limit(p("limit"))
)
_COUNT_TAGS: Final = sa.select(sa.func.count()).select_from(tag).where(tag.c.repository_id == p("repository"))


class Deletions:
    """`nouns.Deletions`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def sessions(self, repository: Repository) -> Sequence[UploadSession]:
        """Its upload sessions, held."""
        return [as_session(row) for row in self._moment.run(_HOLD_SESSIONS, repository=repository.id)]

    def delete(self, repository: Repository) -> DeletedRepository | None:
        """Hide it; None when it is deleted already."""
        row = self._moment.first(_HOLD_LIVE, repository=repository.id)
        if row is None:
            return None
        now = self._moment.micros
        self._moment.run(set_deleted, repository=repository.id, deleted_at=now)
        return DeletedRepository(row[0], repository, from_micros(now))

    def page(self, since: datetime, last: tuple[str, str], limit: int) -> Sequence[DeletedRepository]:
        """By name and uuid."""
        name, uuid = last
        rows = self._moment.run(_PAGE, since=to_micros(since), last_name=name, last_uuid=uuid, limit=limit)
        return [_as_deleted(row) for row in rows]

    def latest(self, name: RepositoryName) -> DeletedRepository | None:
        """The one that was deleted last; no purged one."""
        row = self._moment.first(_LATEST, name=name.text)
        return _as_deleted(row) if row else None

    def hold(self, uuid: str) -> DeletedRepository | None:
        """Waits for the collector, if that is at it."""
        row = self._moment.first(_HOLD, uuid=uuid)
        return _as_deleted(row) if row else None

    def restore(self, deleted: DeletedRepository, name: RepositoryName) -> None:
        """Serve it again; a name that somebody else takes at this moment is refused by an index."""
        self._moment.run(_RESTORE, repository=deleted.repository.id, as_name=name.text)
        tags = self._moment.run(_COUNT_TAGS, repository=deleted.repository.id)[0][0]
        self._moment.tally.add(deleted.repository.project, Growth(repositories=1, tags=tags))

    def purge(self, deleted: DeletedRepository) -> None:
        """Nothing restores it any more."""
        self._moment.run(set_deleted, repository=deleted.repository.id, deleted_at=BEFORE_ALL_TIME)

    def tags(self, repository: Repository) -> Iterator[Tag]:
        """Page by page."""
        last = ""
        while page := self._moment.run(_TAGS, repository=repository.id, last=last, limit=_LOT):
            yield from (Tag(name) for (name,) in page)
            last = page[-1][0]


def _as_deleted(row: Row) -> DeletedRepository:
    uuid, row_id, name, project, pushed_at, deleted_at = row
    of = Repository(row_id, RepositoryName(name), project, pushed_at is not None)
    return DeletedRepository(uuid, of, from_micros(deleted_at))
