"""Queries: leases, by which one process in the world does a piece of background work at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.metadata.instants import to_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import lease

_TAKE: Final = (
    insert(lease)
    .values(name=p("name"), holder=p("holder"), fence=1, until=p("until"))
    .on_conflict_do_update(
        index_elements=["name"],
        set_={
            "holder": p("holder"),
            # A new number for each change of hands: what an earlier holder still tries, it tries with an old one.
            "fence": sa.case((lease.c.holder == p("holder"), lease.c.fence), else_=lease.c.fence + 1),
            "until": p("until"),
        },
        where=sa.or_(lease.c.holder == p("holder"), lease.c.until <= p("now")),
    )
    .returning(lease.c.fence)
)
_KEEP: Final = (
    sa.update(lease)
    .where(lease.c.name == p("which"), lease.c.fence == p("mine"))
    .values(until=p("until"))
    .returning(lease.c.fence)
)
_RELEASE: Final = sa.update(lease).where(lease.c.name == p("which"), lease.c.fence == p("mine")).values(until=0)


class Leases:
    """`ports.Leases`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def take(self, name: str, holder: str, until: datetime) -> int | None:
        """The fence, when nobody else has it."""
        row = self._moment.first(_TAKE, name=name, holder=holder, until=to_micros(until), now=self._moment.micros)
        return int(row[0]) if row else None

    def keep(self, name: str, fence: int, until: datetime) -> bool:
        """Put off its end; whether it is still ours."""
        return bool(self._moment.run(_KEEP, which=name, mine=fence, until=to_micros(until)))

    def release(self, name: str, fence: int) -> None:
        """Whoever asks next has it."""
        self._moment.run(_RELEASE, which=name, mine=fence)
