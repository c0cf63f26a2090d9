"""Queries: the chain of seals. Only here is an event changed after it was written, or removed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.audit import Seal
from registry.metadata.instants import from_micros, to_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import event, seal
from registry.metadata.statements import Row

_ALL: Final = sa.select(
    seal.c.id, seal.c.previous, seal.c.made_at, seal.c.events, seal.c.events_hash, seal.c.hash, seal.c.emptied_at
)
_LAST: Final = _ALL.order_by(seal.c.id.desc()).limit(1)
_PAGE: Final = _ALL.where(seal.c.id > p("after")).order_by(seal.c.id).limit(p("limit"))
_ADD: Final = (
    sa.insert(seal)
    .values({each: p(each) for each in ("previous", "made_at", "events", "events_hash", "hash")})
    .returning(seal.c.id)
)
_NAME_SEAL: Final = (
    sa.update(event).where(event.c.id == p("which"), event.c.seal_id.is_(None)).values(seal_id=p("seal"))
)
_OLD: Final = _ALL.where(seal.c.emptied_at.is_(None), seal.c.made_at < p("before")).order_by(seal.c.id).limit(1)
_REMOVE: Final = sa.delete(event).where(event.c.seal_id == p("seal")).returning(event.c.id)
_EMPTIED: Final = sa.update(seal).where(seal.c.id == p("which")).values(emptied_at=p("now"))


class Seals:
    """`nouns.Seals`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def last(self) -> Seal | None:
        """The end of the chain."""
        row = self._moment.first(_LAST)
        return _as_seal(row) if row else None

    def page(self, after: int, limit: int) -> Sequence[Seal]:
        """In the order of their ids."""
        return [_as_seal(row) for row in self._moment.run(_PAGE, after=after, limit=limit)]

    def add(self, seal: Seal, events: Sequence[int]) -> None:
        """Behind the last one; that it forks the chain, its unique `previous` forbids."""
        row = self._moment.first(
            _ADD,
            previous=seal.previous,
            made_at=to_micros(seal.made),
            events=seal.events,
            events_hash=seal.events_hash,
            hash=seal.hash,
        )
        assert row is not None  # noqa: S101  for the type checker: an insert that succeeds returns its row
        self._moment.run_many(_NAME_SEAL, [{"which": each, "seal": row[0]} for each in events])

    def old(self, before: datetime) -> Seal | None:
        """The first that has its events still."""
        row = self._moment.first(_OLD, before=to_micros(before))
        return _as_seal(row) if row else None

    def empty(self, seal: Seal) -> int:
        """Remove its events."""
        removed = len(self._moment.run(_REMOVE, seal=seal.id))
        self._moment.run(_EMPTIED, which=seal.id, now=self._moment.micros)
        return removed


def _as_seal(row: Row) -> Seal:
    id_, previous, made, events, events_hash, hash_, emptied = row
    return Seal(
        id_, previous, from_micros(made), events, events_hash, hash_, None if emptied is None else from_micros(emptied)
    )
