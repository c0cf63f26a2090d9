"""Queries: what a repository holds, and what of that others hold too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import Repository
from registry.core.nouns.holdings import Held, Sharer
from registry.metadata.moment import Moment
from registry.metadata.schema import blob, link, manifest, repository, tag
from registry.metadata.sums import total
from registry.oci.names import RepositoryName

_other_link, _other_manifest = link.alias("other_link"), manifest.alias("other_manifest")
_linked_elsewhere: Final = sa.exists().where(
    _other_link.c.blob_id == link.c.blob_id, _other_link.c.repository_id != link.c.repository_id
)
_kept_elsewhere: Final = sa.exists().where(
    _other_manifest.c.content_id == manifest.c.content_id,
    _other_manifest.c.repository_id != manifest.c.repository_id,
)
_BLOBS: Final = (
    sa.select(total(blob.c.size), total(sa.case((_linked_elsewhere, 0), else_=blob.c.size)))
    .select_from(link.join(blob, blob.c.id == link.c.blob_id))
    .where(link.c.repository_id == p("repository"))
)
_MANIFESTS: Final = sa.select(
    sa.func.count(),
    sa.func.count(manifest.c.deleted_at),
    total(manifest.c.size),
    total(sa.case((_kept_elsewhere, 0), else_=manifest.c.size)),
).where(manifest.c.repository_id == p("repository"))
_TAGS: Final = sa.select(sa.func.count()).select_from(tag).where(tag.c.repository_id == p("repository"))
_shared: Final = total(blob.c.size)
_SHARERS: Final = (
    sa.select(repository.c.name, _shared)
    .select_from(
        link.join(_other_link, _other_link.c.blob_id == link.c.blob_id)
        .join(repository, repository.c.id == _other_link.c.repository_id)
        .join(blob, blob.c.id == link.c.blob_id)
    )
    .where(
        link.c.repository_id == p("repository"),
        _other_link.c.repository_id != link.c.repository_id,
        repository.c.deleted_at.is_(None),
    )
    .group_by(repository.c.name)
    .order_by(_shared.desc(), repository.c.name)
    .limit(p("limit"))
)


class Holdings:
    """`nouns.Holdings`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def of(self, repository: Repository) -> Held:
        """Deleted manifests, and what is linked invisibly, count as well: they are charged."""
        blobs, own_blobs = self._moment.run(_BLOBS, repository=repository.id)[0]
        count, deleted, size, own = self._moment.run(_MANIFESTS, repository=repository.id)[0]
        tags = self._moment.run(_TAGS, repository=repository.id)[0][0]
        return Held(tags, count - deleted, deleted, blobs + size, own_blobs + own)

    def sharers(self, repository: Repository, limit: int) -> Sequence[Sharer]:
        """Those with whom it shares most, first."""
        rows = self._moment.run(_SHARERS, repository=repository.id, limit=limit)
        return [Sharer(RepositoryName(name), size) for name, size in rows]
