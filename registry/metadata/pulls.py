"""Queries: how often manifests were pulled, and when last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import Repository
from registry.core.tag_facts import Pull
from registry.metadata.instants import from_micros, to_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import manifest, repository
from registry.oci.digest import Digest

_repository: Final = sa.select(repository.c.id).where(repository.c.name == p("name"), repository.c.deleted_at.is_(None))
_NOTE: Final = (
    sa.update(manifest)
    .where(
        manifest.c.repository_id == _repository.scalar_subquery(),
        manifest.c.digest == p("which"),
        manifest.c.deleted_at.is_(None),
    )
    .values(
        pulls=manifest.c.pulls + p("times"),
        pulled_at=sa.case((manifest.c.pulled_at > p("at"), manifest.c.pulled_at), else_=p("at")),
    )
)
_OF: Final = sa.select(manifest.c.pulls, manifest.c.pulled_at).where(
    manifest.c.repository_id == p("repository"), manifest.c.digest == p("which"), manifest.c.deleted_at.is_(None)
)


class Pulls:
    """`nouns.Pulls`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def note(self, pulls: Sequence[Pull]) -> None:
        """So many more, the last one then."""
        self._moment.run_many(
            _NOTE,
            [
                {"name": each.repository.text, "which": each.digest.packed, "times": each.times}
                | {"at": to_micros(each.last)}
                for each in pulls
            ],
        )

    def of(self, repository: Repository, digest: Digest) -> tuple[int, datetime | None]:
        """How often, and when last."""
        row = self._moment.first(_OF, repository=repository.id, which=digest.packed)
        times, last = row or (0, None)
        return times, None if last is None else from_micros(last)
