"""Queries: bytes that an upload session has reserved of its project, before they are charged or given back (design §4).

A reservation belongs to its session's row, and is touched only while that is held: who ends a session releases it.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import UploadSession
from registry.core.quota import Growth
from registry.metadata.moment import Moment
from registry.metadata.schema import reservation, upload

_FIND: Final = sa.select(reservation.c.size).where(reservation.c.upload_id == p("upload"))
_PUT: Final = (
    insert(reservation)
    .from_select(
        ["project_id", "upload_id", "size", "expires_at"],
        sa.select(p("project"), upload.c.id, p("size"), upload.c.expires_at).where(upload.c.id == p("upload")),
    )
    .on_conflict_do_update(
        index_elements=["upload_id"],
        set_={each: sa.literal_column(f"excluded.{each}") for each in ("size", "expires_at")},
    )
)
_RELEASE: Final = (
    sa.delete(reservation)
    .where(reservation.c.upload_id == p("upload"))
    .returning(reservation.c.project_id, reservation.c.size)
)


class Reservations:
    """`nouns.Reservations`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def find(self, session: UploadSession) -> int:
        """In bytes."""
        row = self._moment.first(_FIND, upload=session.id)
        return row[0] if row else 0

    def put(self, session: UploadSession, size: int) -> None:
        """In place of what it had reserved."""
        more = size - self.find(session)
        if more:
            project = session.repository.project
            self._moment.run(_PUT, project=project, upload=session.id, size=size)
            self._moment.tally.add(project, Growth(reserved=more))

    def release(self, upload: int) -> None:
        """Of a session whose row is held: its project has so much room again."""
        for project, size in self._moment.run(_RELEASE, upload=upload):
            self._moment.tally.add(project, Growth(reserved=-size))
