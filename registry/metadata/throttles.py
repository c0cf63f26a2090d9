"""Queries: how much was used lately of what may be used so often, an instant each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.metadata.instants import from_micros
from registry.metadata.moment import Moment
from registry.metadata.schema_people import throttle

_MOST: Final = 3
_NAMES: Final = tuple(f"name{position}" for position in range(_MOST))
_OF: Final = sa.select(throttle.c.name, throttle.c.until).where(throttle.c.name.in_([p(each) for each in _NAMES]))
# Read and written by one statement: of two failures at once, neither is lost.
_PUT_OFF: Final = (
    insert(throttle)
    .values(name=p("name"), until=p("first"))
    .on_conflict_do_update(
        index_elements=["name"],
        set_={"until": sa.case((throttle.c.until > p("now"), throttle.c.until + p("span")), else_=p("first"))},
    )
)
_FORGET: Final = sa.delete(throttle).where(throttle.c.name == p("name"))
_PAST: Final = sa.select(throttle.c.name).where(throttle.c.until <= p("now")).limit(p("limit"))
_FORGET_PAST: Final = sa.delete(throttle).where(throttle.c.name.in_(_PAST)).returning(throttle.c.name)


class Throttles:
    """`nouns.Throttles`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def of(self, names: Sequence[str]) -> Mapping[str, datetime]:
        """Those of at most three names that are not past."""
        padded = [*names, *[names[0]] * (_MOST - len(names))]
        rows = self._moment.run(_OF, **dict(zip(_NAMES, padded, strict=True)))
        now = self._moment.micros
        return {name: from_micros(until) for name, until in rows if until > now}

    def put_off(self, name: str, span: timedelta) -> None:
        """By so much, from now at the least."""
        now = self._moment.micros
        width = span // timedelta(microseconds=1)
        self._moment.run(_PUT_OFF, name=name, first=now + width, now=now, span=width)

    def forget(self, name: str) -> None:
        """As if nothing was used."""
        self._moment.run(_FORGET, name=name)

    def has_past(self) -> bool:
        """Whether there is something to forget."""
        return bool(self._moment.run(_PAST, now=self._moment.micros, limit=1))

    def forget_past(self, limit: int) -> int:
        """Take away what says nothing any more; how many there were."""
        return len(self._moment.run(_FORGET_PAST, now=self._moment.micros, limit=limit))
