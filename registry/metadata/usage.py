"""Queries: what projects are charged beside what they hold, and how to set the former right (design §4).

Repairs go by the order in which everybody locks: the row of `project_content`, held before a new statement counts what
it should say; the project's counter last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import ContentKind
from registry.core.fsck_facts import Miscount, ProjectUsage
from registry.metadata.moment import Moment
from registry.metadata.schema import blob, link, manifest, project, project_content, reference, repository, reservation
from registry.metadata.sums import total
from registry.oci.digest import Digest
from registry.oci.manifest import Kind


def _sum_of(column: sa.Column[int], *where: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.select(total(column)).where(*where).scalar_subquery()


def _owed(of: Any) -> sa.ColumnElement[int]:  # noqa: ANN401  a column or a parameter
    charged = _sum_of(project_content.c.size, project_content.c.project_id == of)
    return charged + _sum_of(reservation.c.size, reservation.c.project_id == of)


_PROJECTS: Final = (
    sa.select(project.c.id, project.c.name, project.c.used, _owed(project.c.id))
    .where(project.c.id > p("after"))
    .order_by(project.c.id)
    .limit(p("limit"))
)

_ZERO: Final[sa.ColumnElement[int]] = sa.literal_column("0", sa.BigInteger)
_ONE: Final[sa.ColumnElement[int]] = sa.literal_column("1", sa.BigInteger)
_AS_BLOB: Final[sa.ColumnElement[str]] = sa.literal_column("'blob'", sa.Text)
_AS_MANIFEST: Final[sa.ColumnElement[str]] = sa.literal_column("'manifest'", sa.Text)
_charged: Final = sa.select(
    project_content.c.kind.label("kind"),
    project_content.c.digest.label("digest"),
    project_content.c.links.label("counted"),
    _ZERO.label("held"),
    project_content.c.size.label("charged"),
    _ZERO.label("size"),
).where(project_content.c.project_id == p("project"))
_linked: Final = (
    sa.select(_AS_BLOB, link.c.digest, _ZERO, _ONE, _ZERO, blob.c.size)
    .select_from(repository.join(link, link.c.repository_id == repository.c.id).join(blob, blob.c.id == link.c.blob_id))
    .where(repository.c.project_id == p("project"))
)
_kept: Final = (
    sa.select(_AS_MANIFEST, manifest.c.digest, _ZERO, _ONE, _ZERO, manifest.c.size)
    .select_from(repository.join(manifest, manifest.c.repository_id == repository.c.id))
    .where(repository.c.project_id == p("project"))
)
_both: Final = sa.union_all(_charged, _linked, _kept).subquery()
_counted, _held = sa.func.sum(_both.c.counted), sa.func.sum(_both.c.held)
_charge, _size = sa.func.max(_both.c.charged), sa.func.max(_both.c.size)
_MISCOUNTS: Final = (
    sa.select(
        _both.c.kind,
        _both.c.digest,
        sa.cast(_counted, sa.BigInteger),
        sa.cast(_held, sa.BigInteger),
        _charge,
        _size,
    )
    .group_by(_both.c.kind, _both.c.digest)
    .having(sa.or_(_counted != _held, _charge != _size))
    .order_by(_both.c.kind, _both.c.digest)
    .limit(p("limit"))
)

_this: Final = (
    project_content.c.project_id == p("project_id"),
    project_content.c.kind == p("of_kind"),
    project_content.c.digest == p("which"),
)
_HOLD: Final = sa.select(project_content.c.links).where(*_this).with_for_update()
_COUNT_LINKS: Final = (
    sa.select(sa.func.count(link.c.blob_id))
    .select_from(link.join(repository, repository.c.id == link.c.repository_id))
    .where(repository.c.project_id == p("project_id"), link.c.digest == p("which"))
)
# Not in a deleted repository, nor for a deleted manifest: who restores those is asked for the parts again.
_UNLINKED: Final = (
    sa.select(repository.c.id)
    .select_from(
        repository.join(reference, reference.c.repository_id == repository.c.id)
        .join(manifest, manifest.c.id == reference.c.manifest_id)
        .outerjoin(link, sa.and_(link.c.repository_id == repository.c.id, link.c.digest == reference.c.digest))
    )
    .where(
        repository.c.project_id == p("project_id"),
        repository.c.deleted_at.is_(None),
        reference.c.digest == p("which"),
        reference.c.kind.in_([p("config"), p("layer")]),
        manifest.c.deleted_at.is_(None),
        link.c.blob_id.is_(None),
    )
    .group_by(repository.c.id)
    .order_by(repository.c.id)
    .limit(p("limit"))
)
_LINK: Final = (
    insert(link)
    .from_select(
        ["repository_id", "digest", "blob_id", "lease_until"],
        sa.select(p("repository"), blob.c.digest, blob.c.id, p("lease_until")).where(blob.c.digest == p("which")),
    )
    .on_conflict_do_nothing(index_elements=["repository_id", "digest"])
    .returning(link.c.blob_id)
)
_CLAIM: Final = (
    insert(project_content)
    .values(project_id=p("project_id"), kind=p("of_kind"), digest=p("which"), size=_ZERO, links=_ZERO)
    .on_conflict_do_nothing(index_elements=["project_id", "kind", "digest"])
)
_COUNT_MANIFESTS: Final = (
    sa.select(sa.func.count(), sa.func.max(manifest.c.size))
    .select_from(manifest.join(repository, repository.c.id == manifest.c.repository_id))
    .where(repository.c.project_id == p("project_id"), manifest.c.digest == p("which"))
)
_COUNT_BLOBS: Final = (
    sa.select(sa.func.count(), sa.func.max(blob.c.size))
    .select_from(link.join(repository, repository.c.id == link.c.repository_id).join(blob, blob.c.id == link.c.blob_id))
    .where(repository.c.project_id == p("project_id"), link.c.digest == p("which"))
)
_RECOUNTS: Final[Mapping[ContentKind, Any]] = {
    ContentKind.BLOB: _COUNT_BLOBS,
    ContentKind.MANIFEST: _COUNT_MANIFESTS,
}
_SET: Final = sa.update(project_content).where(*_this).values(links=p("links"), size=p("size"))
_DROP: Final = sa.delete(project_content).where(*_this)
_HOLD_PROJECT: Final = sa.select(project.c.id).where(project.c.id == p("project_id")).with_for_update()
_RESUM: Final = sa.update(project).where(project.c.id == p("project_id")).values(used=_owed(p("project_id")))


class Usage:
    """`nouns.Usage`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def projects(self, after: int, limit: int) -> Sequence[ProjectUsage]:
        """In the order of ids."""
        return [ProjectUsage(*row) for row in self._moment.run(_PROJECTS, after=after, limit=limit)]

    def miscounts(self, project: int, limit: int) -> Sequence[Miscount]:
        """By kind and digest."""
        rows = self._moment.run(_MISCOUNTS, project=project, limit=limit)
        return [Miscount(ContentKind(kind), Digest.unpack(digest), *counts) for kind, digest, *counts in rows]

    def relink(self, project: int, digest: Digest) -> int:
        """Where manifests reference the blob, as often as is charged and not linked."""
        charged = self._moment.first(_HOLD, project_id=project, of_kind=ContentKind.BLOB.value, which=digest.packed)
        # Held, so that this counts what everybody has committed who has charged it.
        linked = self._moment.run(_COUNT_LINKS, project_id=project, which=digest.packed)[0][0]
        lost = (charged[0] if charged else 0) - linked
        if lost <= 0:
            return 0
        where = self._moment.run(
            _UNLINKED,
            project_id=project,
            which=digest.packed,
            config=Kind.CONFIG.value,
            layer=Kind.LAYER.value,
            limit=lost,
        )
        made = [
            self._moment.run(_LINK, repository=each, which=digest.packed, lease_until=self._moment.micros)
            for (each,) in where
        ]
        return sum(map(len, made))

    def recount(self, project: int, kind: ContentKind, digest: Digest) -> None:
        """Charge it for the links that there are, or not at all."""
        this = {"project_id": project, "of_kind": kind.value, "which": digest.packed}
        self._moment.run(_CLAIM, **this)
        self._moment.run(_HOLD, **this)
        links, size = self._moment.run(_RECOUNTS[kind], project_id=project, which=digest.packed)[0]
        if links:
            self._moment.run(_SET, **this, links=links, size=size)
        else:
            self._moment.run(_DROP, **this)

    def resum(self, project: int) -> None:
        """Who has charged it has committed by the time that it is ours; who has not will add to what we set."""
        self._moment.run(_HOLD_PROJECT, project_id=project)
        self._moment.run(_RESUM, project_id=project)
