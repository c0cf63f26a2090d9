"""Queries: every content that a project is charged for, why it is there still, and who holds it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import Repository
from registry.core.quota import Project
from registry.core.usage_parts import Because, ExplainedUsage, Part
from registry.metadata.instants import to_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import link, manifest, project, project_content, reference, repository, reservation
from registry.metadata.sums import total
from registry.oci.names import RepositoryName


def _number(value: int) -> sa.ColumnElement[int]:
    return sa.literal_column(str(value), sa.BigInteger)


_lives: Final = repository.c.deleted_at.is_(None)
_may_live: Final = sa.or_(_lives, repository.c.deleted_at > p("since"))
_is_restorable: Final = sa.and_(_may_live, sa.or_(manifest.c.deleted_at.is_(None), manifest.c.deleted_at > p("since")))
_referenced: Final = (
    sa.select(_number(1))
    .select_from(reference.join(manifest, manifest.c.id == reference.c.manifest_id))
    .where(reference.c.repository_id == link.c.repository_id, reference.c.digest == link.c.digest)
    .correlate(link, repository)
)
_blobs: Final = (
    sa.select(
        sa.literal_column("'blob'", sa.Text).label("kind"),
        link.c.digest.label("digest"),
        link.c.repository_id.label("holder"),
        sa.case(
            (sa.and_(_lives, _referenced.where(manifest.c.deleted_at.is_(None)).exists()), _number(Because.SERVED)),
            (_referenced.where(_is_restorable).exists(), _number(Because.UNDO)),
            (link.c.lease_until > p("now"), _number(Because.LEASE)),
            else_=_number(Because.NOTHING),
        ).label("because"),
    )
    .select_from(link.join(repository, repository.c.id == link.c.repository_id))
    .where(repository.c.project_id == p("project"))
)
_manifests: Final = (
    sa.select(
        sa.literal_column("'manifest'", sa.Text),
        manifest.c.digest,
        manifest.c.repository_id,
        sa.case(
            (sa.and_(_lives, manifest.c.deleted_at.is_(None)), _number(Because.SERVED)),
            (_is_restorable, _number(Because.UNDO)),
            else_=_number(Because.NOTHING),
        ),
    )
    .select_from(manifest.join(repository, repository.c.id == manifest.c.repository_id))
    .where(repository.c.project_id == p("project"))
)
_held: Final = sa.union_all(_blobs, _manifests).subquery()
_contents: Final = (
    sa.select(
        project_content.c.size.label("size"),
        sa.func.coalesce(sa.func.min(_held.c.because), _number(Because.NOTHING)).label("because"),
        sa.case((sa.func.count(_held.c.holder) == _number(1), sa.func.min(_held.c.holder))).label("holder"),
    )
    .select_from(
        project_content.outerjoin(
            _held, sa.and_(_held.c.kind == project_content.c.kind, _held.c.digest == project_content.c.digest)
        )
    )
    .where(project_content.c.project_id == p("project"))
    .group_by(project_content.c.kind, project_content.c.digest, project_content.c.size)
    .subquery()
)
_USED, _RESERVED = -2, -1
# In one statement, so that all of it is as of one moment.
_EXPLAIN: Final = sa.union_all(
    sa.select(_contents.c.because, repository.c.name, total(_contents.c.size))
    .select_from(_contents.outerjoin(repository, repository.c.id == _contents.c.holder))
    .group_by(_contents.c.because, repository.c.name),
    sa.select(_number(_USED), sa.null(), project.c.used).where(project.c.id == p("project")),
    sa.select(_number(_RESERVED), sa.null(), total(reservation.c.size)).where(reservation.c.project_id == p("project")),
)
_WHOLE: Final[sa.Select[Any]] = sa.select(_EXPLAIN.subquery())
_REPOSITORIES: Final = (
    sa.select(repository.c.id, repository.c.name, repository.c.project_id)
    .select_from(repository.join(project, project.c.id == repository.c.project_id))
    .where(project.c.name == p("name"), _lives)
    .order_by(repository.c.name)
)


class Explained:
    """`nouns.Explained`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def usage(self, project: Project, since: datetime) -> ExplainedUsage:
        """All of it as of one moment."""
        rows = self._moment.run(_WHOLE, project=project.id, since=to_micros(since), now=self._moment.micros)
        single = {why: size for why, _, size in rows if why < 0}
        parts = [Part(Because(why), name, size) for why, name, size in rows if why >= 0]
        return ExplainedUsage(project, single[_USED], single[_RESERVED], parts)

    def repositories(self, project: str) -> Sequence[Repository]:
        """By their names."""
        rows = self._moment.run(_REPOSITORIES, name=project)
        return [Repository(row[0], RepositoryName(row[1]), row[2]) for row in rows]
