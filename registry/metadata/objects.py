"""Queries: objects, the rows that own a storage key for life."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import ObjectKey
from registry.metadata.instants import to_micros
from registry.metadata.lots import NUMBER, filled, lot
from registry.metadata.moment import Moment
from registry.metadata.schema import stored_object

_ADD: Final = (
    sa.insert(stored_object)
    .values(key=p("key"), state="receiving", changed_at=p("changed_at"))
    .returning(stored_object.c.id)
)
_LIVE: Final = (
    sa.update(stored_object)
    .where(stored_object.c.id == p("object"))
    .values(state="live", size=p("size"), changed_at=p("changed_at"))
)
_DOOM: Final = (
    sa.update(stored_object).where(stored_object.c.id == p("object")).values(state="doomed", changed_at=p("changed_at"))
)
_DOOMED: Final = (
    sa.select(stored_object.c.id, stored_object.c.key)
    # In the text, not beside it: only so does a plan made before the parameters are known find the partial index.
    .where(stored_object.c.state == sa.literal_column("'doomed'"), stored_object.c.changed_at <= p("before"))
    .order_by(stored_object.c.changed_at)
    .limit(p("limit"))
)
_these: Final = stored_object.c.id.in_(sa.select(lot(id=NUMBER).c.id))
_DOOM_ALL: Final = sa.update(stored_object).where(_these).values(state="doomed", changed_at=p("changed_at"))
_FORGET: Final = (
    sa.delete(stored_object).where(_these, stored_object.c.state == "doomed").returning(stored_object.c.size)
)


class Objects:
    """`ports.Objects`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def add(self, key: ObjectKey) -> int:
        """A key that an upload session will write to."""
        return int(self._moment.run(_ADD, key=key.text, changed_at=self._moment.micros)[0][0])

    def live(self, object_id: int, size: int) -> None:
        """Exactly one blob names it from now on."""
        self._moment.run(_LIVE, object=object_id, size=size, changed_at=self._moment.micros)

    def doom(self, object_id: int) -> None:
        """Nobody names it any more; it is deleted when every reader that may have looked it up is done."""
        self._moment.run(_DOOM, object=object_id, changed_at=self._moment.micros)

    def doom_all(self, object_ids: Iterable[int]) -> None:
        """The same for many."""
        self._moment.run(_DOOM_ALL, **filled((each,) for each in object_ids), changed_at=self._moment.micros)

    def doomed(self, before: datetime, limit: int) -> Sequence[tuple[int, ObjectKey]]:
        """Objects doomed by then, the longest first."""
        return [(row[0], ObjectKey(row[1])) for row in self._moment.run(_DOOMED, before=to_micros(before), limit=limit)]

    def forget(self, object_ids: Iterable[int]) -> int:
        """The store has deleted them: the rows go last. Their bytes, as far as they were known."""
        return sum(size for (size,) in self._moment.run(_FORGET, **filled((each,) for each in object_ids)))
