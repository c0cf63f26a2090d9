"""Queries: what waits for its time to be collected or swept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.collect_facts import DoomedObject, OpenSession, Waiting
from registry.metadata.instants import from_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import repository, review, stored_object, upload
from registry.metadata.statements import Row
from registry.metadata.sums import total

# In the text, so that the partial index is found (see `objects`).
_doomed: Final = stored_object.c.state == sa.literal_column("'doomed'")
_is_open: Final = upload.c.finished.is_(None)


def _summed(size: sa.ColumnElement[int], first: sa.ColumnElement[int]) -> sa.Select[Any]:
    # Three columns of their own types, which is more than the checker would have to know.
    columns: list[sa.ColumnElement[Any]] = [sa.func.count(), size, sa.func.min(first)]
    return sa.select(*columns)


_REVIEWS: Final = _summed(sa.literal_column("0"), review.c.due_at)
_OBJECTS: Final = _summed(total(stored_object.c.size), stored_object.c.changed_at).where(_doomed)
_SESSIONS: Final = _summed(total(upload.c.offset), upload.c.expires_at).where(_is_open)
_OBJECT_PAGE: Final = (
    sa.select(stored_object.c.id, stored_object.c.key, stored_object.c.size, stored_object.c.changed_at)
    .where(_doomed, stored_object.c.id > p("after"))
    .order_by(stored_object.c.id)
    .limit(p("limit"))
)
_SESSION_PAGE: Final = (
    sa.select(upload.c.id, upload.c.uuid, repository.c.name, upload.c.offset, upload.c.expires_at)
    .select_from(upload.join(repository, repository.c.id == upload.c.repository_id))
    .where(_is_open, upload.c.id > p("after"))
    .order_by(upload.c.id)
    .limit(p("limit"))
)


class Outlook:
    """`nouns.Outlook`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def reviews(self) -> Waiting:
        """Candidates; their bytes are not added up."""
        return _as_waiting(self._moment.run(_REVIEWS))

    def objects(self) -> Waiting:
        """Objects that nobody names; `first` is since when."""
        return _as_waiting(self._moment.run(_OBJECTS))

    def sessions(self) -> Waiting:
        """Upload sessions that are open; `first` is when one expires."""
        return _as_waiting(self._moment.run(_SESSIONS))

    def object_page(self, after: int, limit: int) -> Sequence[DoomedObject]:
        """In the order of their ids, after one."""
        rows = self._moment.run(_OBJECT_PAGE, after=after, limit=limit)
        return [DoomedObject(row[0], row[1], row[2], from_micros(row[3])) for row in rows]

    def session_page(self, after: int, limit: int) -> Sequence[OpenSession]:
        """The same of sessions."""
        rows = self._moment.run(_SESSION_PAGE, after=after, limit=limit)
        return [OpenSession(row[0], row[1], row[2], row[3], from_micros(row[4])) for row in rows]


def _as_waiting(rows: Sequence[Row]) -> Waiting:
    [(count, size, first)] = rows
    return Waiting(count, size, None if first is None else from_micros(first))
