"""Queries: what happened, for who reads and seals it. Nothing here changes an event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.audit import Event, Mark, Wanted
from registry.metadata.instants import from_micros, to_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import event, seal
from registry.metadata.statements import Row
from registry.oci.digest import Digest

_ALL: Final = sa.select(
    event.c.id,
    event.c.at,
    event.c.action,
    event.c.outcome,
    event.c.principal_id,
    event.c.who,
    event.c.credential_id,
    event.c.address,
    event.c.repository,
    event.c.reference,
    event.c.digest,
    event.c.target,
    event.c.detail,
    event.c.seal_id,
)
_WITHIN: Final = (event.c.at >= p("since"), event.c.at < p("until"))
# Along the index of instants, which ends in the row's id on SQLite, and is sorted by it within an instant elsewhere.
_PAGE: Final = (
    _ALL.where(
        event.c.at >= p("since"),
        sa.tuple_(event.c.at, event.c.id) < sa.tuple_(p("at"), p("id")),
        sa.or_(p("who", type_=sa.Text) == "", event.c.who == p("who")),
        sa.or_(p("action", type_=sa.Text) == "", event.c.action == p("action")),
        sa.or_(p("outcome", type_=sa.Text) == "", event.c.outcome == p("outcome")),
        sa.or_(p("pattern", type_=sa.Text) == "", event.c.repository.regexp_match(p("pattern"))),
    )
    .order_by(event.c.at.desc(), event.c.id.desc())
    .limit(p("limit"))
)
_UNSEALED: Final = (
    _ALL.where(
        event.c.seal_id.is_(None),
        event.c.id > p("after"),
        # A sum, so that the index of instants, in which nearly all are sealed, is not asked.
        event.c.at + 0 >= p("since"),
        event.c.at + 0 < p("until"),
    )
    .order_by(event.c.id)
    .limit(p("limit"))
)
_OF: Final = _ALL.where(event.c.seal_id == p("seal")).order_by(event.c.id).limit(p("limit"))
_UNNAMED: Final = sa.select(sa.func.count()).select_from(event).where(event.c.seal_id.is_(None)).scalar_subquery()
_STRAYS: Final = (
    sa.select(sa.func.count())
    .select_from(event)
    .where(event.c.seal_id.is_not(None), ~sa.exists().where(seal.c.id == event.c.seal_id))
    .scalar_subquery()
)
_LOOSE: Final = sa.select(_UNNAMED, _STRAYS)
_SEALS: Final = sa.select(sa.func.min(event.c.seal_id), sa.func.max(event.c.seal_id)).where(*_WITHIN)
_NEVER: Final = 2**63 - 1


class Events:
    """`nouns.Events`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def page(self, wanted: Wanted, after: Mark | None, limit: int) -> Sequence[Event]:
        """Newest first, behind `after`."""
        until = _micros(wanted.until, _NEVER)
        # Behind the end of the span, where that is nearer: of its last instant no event is wanted.
        at, number = (until, 0) if after is None else min((until, 0), (to_micros(after.at), after.id))
        rows = self._moment.run(
            _PAGE,
            since=_micros(wanted.since, 0),
            at=at,
            id=number,
            who=wanted.who,
            action=wanted.action,
            outcome=wanted.outcome.value if wanted.outcome else "",
            pattern=f"^(?:{wanted.repository.regex})$" if wanted.repository else "",
            limit=limit,
        )
        return [_as_event(row) for row in rows]

    def unsealed(self, wanted: Wanted, after: int, limit: int) -> Sequence[Event]:
        """Those that no seal names yet."""
        return [_as_event(row) for row in self._moment.run(_UNSEALED, after=after, limit=limit, **_span(wanted))]

    def of(self, seal: int, limit: int) -> Sequence[Event]:
        """Those of a seal."""
        return [_as_event(row) for row in self._moment.run(_OF, seal=seal, limit=limit)]

    def loose(self) -> tuple[int, int]:
        """How many no seal names yet, and how many name one that is not there."""
        unnamed, strays = self._moment.run(_LOOSE)[0]
        return int(unnamed), int(strays)

    def seals_within(self, wanted: Wanted) -> tuple[int, int] | None:
        """The first and the last seal that hold an event of this span."""
        first, last = self._moment.run(_SEALS, **_span(wanted))[0]
        return None if first is None else (int(first), int(last))


def _span(wanted: Wanted) -> dict[str, int]:
    return {"since": _micros(wanted.since, 0), "until": _micros(wanted.until, _NEVER)}


def _micros(instant: datetime | None, otherwise: int) -> int:
    return otherwise if instant is None else to_micros(instant)


def _as_event(row: Row) -> Event:
    id_, at, action, outcome, principal, who, credential, address, repository, reference, digest, *rest = row
    return Event(
        id_,
        from_micros(at),
        action,
        outcome,
        principal,
        who,
        credential,
        address,
        repository,
        reference,
        None if digest is None else Digest.unpack(digest),
        *rest,
    )
