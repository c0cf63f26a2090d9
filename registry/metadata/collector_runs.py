"""Queries: what the collector did lately."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.collect_facts import CollectorRun, RunKind
from registry.metadata.instants import from_micros, to_micros
from registry.metadata.moment import Moment
from registry.metadata.schema_collecting import collector_run

_KEPT: Final = 100
_NEWEST: Final = 2**62
_ADD: Final = sa.insert(collector_run).values({each: p(each) for each in ("kind", "began_at", "ended_at", "counts")})
_latest: Final = sa.select(collector_run.c.id).order_by(collector_run.c.id.desc()).limit(p("kept"))
_FORGET: Final = sa.delete(collector_run).where(collector_run.c.id.not_in(_latest))
_PAGE: Final = (
    sa.select(
        collector_run.c.id,
        collector_run.c.kind,
        collector_run.c.began_at,
        collector_run.c.ended_at,
        collector_run.c.counts,
    )
    .where(collector_run.c.id < p("before"))
    .order_by(collector_run.c.id.desc())
    .limit(p("limit"))
)


class CollectorRuns:
    """`nouns.CollectorRuns`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def add(self, kind: RunKind, began: datetime, counts: Mapping[str, int]) -> None:
        """It ends now; of earlier ones the last are kept."""
        ended, told = self._moment.micros, json.dumps(dict(counts))
        self._moment.run(_ADD, kind=kind.value, began_at=to_micros(began), ended_at=ended, counts=told)
        self._moment.run(_FORGET, kept=_KEPT)

    def page(self, before: int | None, limit: int) -> Sequence[CollectorRun]:
        """The latest first, those before `before`."""
        rows = self._moment.run(_PAGE, before=_NEWEST if before is None else before, limit=limit)
        return [
            CollectorRun(row[0], RunKind(row[1]), from_micros(row[2]), from_micros(row[3]), json.loads(row[4]))
            for row in rows
        ]
