"""Queries: what the database keeps for all processes under a name, as text."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.metadata.moment import Moment
from registry.metadata.schema import setting

_FIND: Final = sa.select(setting.c.value).where(setting.c.name == p("name"))
_ADD: Final = insert(setting).values(name=p("name"), value=p("value")).on_conflict_do_nothing()
_PUT: Final = (
    insert(setting)
    .values(name=p("name"), value=p("value"))
    .on_conflict_do_update(index_elements=["name"], set_={"value": p("value")})
)
_REMOVE: Final = sa.delete(setting).where(setting.c.name == p("name"))


class Settings:
    """`nouns.Settings`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def find(self, name: str) -> str | None:
        """Its value, if it has one."""
        row = self._moment.first(_FIND, name=name)
        return str(row[0]) if row else None

    def get_or_put(self, name: str, initial: str) -> str:
        """Its value; `initial` is kept when there was none."""
        self._moment.run(_ADD, name=name, value=initial)
        return str(self._moment.run(_FIND, name=name)[0][0])

    def put(self, name: str, value: str) -> None:
        """From now on this is its value."""
        self._moment.run(_PUT, name=name, value=value)

    def remove(self, name: str) -> None:
        """From now on it has none, if it had one."""
        self._moment.run(_REMOVE, name=name)
