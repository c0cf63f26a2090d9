"""Queries: every row beside what names it, page by page, for who compares them with a store (fsck).

Each page is one statement, and so one moment: what a commit changes together is seen together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import ContentKind, ObjectKey
from registry.core.fsck_facts import ContentRow, Lack, ObjectRow, ObjectState, Places
from registry.metadata.moment import Moment
from registry.metadata.schema import (
    blob,
    content,
    link,
    manifest,
    project,
    reference,
    repository,
    stored_object,
    tag,
    upload,
)
from registry.metadata.statements import Row
from registry.oci.digest import Digest
from registry.oci.manifest import Kind

# Keys are asked for by so many at a time, the last ones filled up by repetition: one text to prepare.
_LOT: Final = 50
_MOST_TOLD: Final = 5

_COUNT: Final = sa.select(
    sa.select(sa.func.count()).select_from(stored_object).scalar_subquery(),
    sa.select(sa.func.count()).select_from(content).scalar_subquery(),
    sa.select(sa.func.count()).select_from(project).scalar_subquery(),
    sa.select(sa.func.max(manifest.c.id)).scalar_subquery(),
)
_OBJECTS: Final = sa.select(
    stored_object.c.id,
    stored_object.c.key,
    stored_object.c.state,
    blob.c.digest,
    blob.c.size,
    blob.c.damaged_at,
    upload.c.id,
    upload.c.stored,
).select_from(
    stored_object.outerjoin(blob, blob.c.object_id == stored_object.c.id).outerjoin(
        upload, upload.c.object_id == stored_object.c.id
    )
)
_PAGE: Final = _OBJECTS.where(stored_object.c.id > p("after")).order_by(stored_object.c.id).limit(p("limit"))
_NAMED: Final = _OBJECTS.where(stored_object.c.key.in_([p(f"key_{number}") for number in range(_LOT)]))
_OF_BLOB: Final = _OBJECTS.where(blob.c.digest == p("digest"))
_CONTENTS: Final = sa.select(
    content.c.id,
    content.c.digest,
    content.c.bytes,
    blob.c.id,
    sa.func.coalesce(content.c.damaged_at, blob.c.damaged_at),
).select_from(content.outerjoin(blob, blob.c.content_id == content.c.id))
_CONTENT_PAGE: Final = _CONTENTS.where(content.c.id > p("after")).order_by(content.c.id).limit(p("limit"))
_CONTENT_OF_BLOB: Final = _CONTENTS.where(blob.c.digest == p("digest"))

_SERVING: Final = (
    sa.select(repository.c.name)
    .select_from(blob.join(link, link.c.blob_id == blob.c.id).join(repository, repository.c.id == link.c.repository_id))
    .where(blob.c.digest == p("digest"), link.c.deleted_at.is_(None), repository.c.deleted_at.is_(None))
    .order_by(repository.c.name)
    .limit(_MOST_TOLD + 1)
)
_HOLDING: Final = (
    sa.select(repository.c.name)
    .select_from(
        content.join(manifest, manifest.c.content_id == content.c.id).join(
            repository, repository.c.id == manifest.c.repository_id
        )
    )
    .where(content.c.digest == p("digest"), manifest.c.deleted_at.is_(None), repository.c.deleted_at.is_(None))
    .order_by(repository.c.name)
    .limit(_MOST_TOLD + 1)
)
# Manifests that need the blob, and indexes of those: an image for many platforms is tagged by its index.
_needing: Final = (
    sa.select(manifest.c.id, manifest.c.repository_id, manifest.c.digest)
    .select_from(
        blob.join(link, link.c.blob_id == blob.c.id)
        .join(
            reference,
            sa.and_(reference.c.repository_id == link.c.repository_id, reference.c.digest == link.c.digest),
        )
        .join(manifest, manifest.c.id == reference.c.manifest_id)
    )
    .where(blob.c.digest == p("digest"), manifest.c.deleted_at.is_(None))
    .subquery()
)
_themselves: Final = (
    sa.select(manifest.c.id, manifest.c.repository_id, manifest.c.digest)
    .select_from(content.join(manifest, manifest.c.content_id == content.c.id))
    .where(content.c.digest == p("digest"), manifest.c.deleted_at.is_(None))
    .subquery()
)


def _tags_of(manifests: sa.Subquery) -> sa.Select[tuple[str, str]]:
    above = sa.select(reference.c.manifest_id.label("id")).select_from(
        manifests.join(
            reference,
            sa.and_(reference.c.repository_id == manifests.c.repository_id, reference.c.digest == manifests.c.digest),
        )
    )
    led = sa.union(sa.select(manifests.c.id), above).subquery()
    return (
        sa.select(repository.c.name, tag.c.name)
        .select_from(
            tag.join(led, led.c.id == tag.c.manifest_id).join(repository, repository.c.id == tag.c.repository_id)
        )
        .where(repository.c.deleted_at.is_(None))
        .order_by(repository.c.name, tag.c.name)
        .limit(_MOST_TOLD + 1)
    )


_TAGS: Final = _tags_of(_needing)
_MANIFEST_TAGS: Final = _tags_of(_themselves)
_PLACES: Final = {ContentKind.BLOB: (_SERVING, _TAGS), ContentKind.MANIFEST: (_HOLDING, _MANIFEST_TAGS)}

_CONTENT: Final = sa.select(content.c.bytes).where(content.c.digest == p("digest"))
_child: Final = manifest.alias("child")
_LACKS: Final = (
    sa.select(repository.c.name, manifest.c.digest, manifest.c.media_type, reference.c.digest)
    .select_from(
        manifest.join(repository, repository.c.id == manifest.c.repository_id)
        .join(reference, reference.c.manifest_id == manifest.c.id)
        .outerjoin(
            link,
            sa.and_(
                link.c.repository_id == reference.c.repository_id,
                link.c.digest == reference.c.digest,
                link.c.deleted_at.is_(None),
            ),
        )
        .outerjoin(
            _child,
            sa.and_(
                _child.c.repository_id == reference.c.repository_id,
                _child.c.digest == reference.c.digest,
                _child.c.deleted_at.is_(None),
            ),
        )
    )
    .where(
        manifest.c.id > p("after"),
        manifest.c.id <= p("until"),
        manifest.c.deleted_at.is_(None),
        repository.c.deleted_at.is_(None),
        sa.or_(
            sa.and_(reference.c.kind.in_([p("config"), p("layer")]), link.c.blob_id.is_(None)),
            sa.and_(reference.c.kind == p("child"), _child.c.id.is_(None)),
        ),
    )
    .order_by(manifest.c.id, reference.c.position)
)
_KINDS: Final = {"config": Kind.CONFIG.value, "layer": Kind.LAYER.value, "child": Kind.CHILD.value}


class Inventory:
    """`nouns.Inventory`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def count(self) -> tuple[int, int, int, int]:
        """Objects, contents and projects, and the last manifest's id."""
        objects, contents, projects, last = self._moment.run(_COUNT)[0]
        return objects, contents, projects, last or 0

    def objects(self, after: int, limit: int) -> Sequence[ObjectRow]:
        """In the order of ids."""
        return [_as_object(row) for row in self._moment.run(_PAGE, after=after, limit=limit)]

    def named(self, keys: Iterable[ObjectKey]) -> dict[ObjectKey, ObjectRow]:
        """The rows of these keys."""
        left = iter(dict.fromkeys(keys))
        found: dict[ObjectKey, ObjectRow] = {}
        while lot := list(itertools.islice(left, _LOT)):
            texts = {f"key_{number}": lot[min(number, len(lot) - 1)].text for number in range(_LOT)}
            rows = map(_as_object, self._moment.run(_NAMED, **texts))
            found |= {row.key: row for row in rows}
        return found

    def contents(self, after: int, limit: int) -> Sequence[ContentRow]:
        """In the order of ids."""
        return [_as_content(row) for row in self._moment.run(_CONTENT_PAGE, after=after, limit=limit)]

    def blob(self, digest: Digest) -> ObjectRow | ContentRow | None:
        """Where the blob's bytes are."""
        if row := self._moment.first(_OF_BLOB, digest=digest.packed):
            return _as_object(row)
        row = self._moment.first(_CONTENT_OF_BLOB, digest=digest.packed)
        return _as_content(row) if row else None

    def lacks(self, after: int, until: int) -> Sequence[Lack]:
        """In the order of the manifests and their parts."""
        rows = self._moment.run(_LACKS, after=after, until=until, **_KINDS)
        return [Lack(name, Digest.unpack(of), kind, Digest.unpack(part)) for name, of, kind, part in rows]

    def content(self, digest: Digest) -> bytes | None:
        """The bytes that are kept under this name."""
        row = self._moment.first(_CONTENT, digest=digest.packed)
        return bytes(row[0]) if row else None

    def places(self, kind: ContentKind, digest: Digest) -> Places:
        """In the order of their names."""
        repositories, tags = (self._moment.run(each, digest=digest.packed) for each in _PLACES[kind])
        return _as_places(repositories, tags)


def _as_object(row: Row) -> ObjectRow:
    object_id, key, state, digest, size, damaged_at, upload_id, stored = row
    return ObjectRow(
        id=object_id,
        key=ObjectKey(key),
        state=ObjectState(state),
        digest=Digest.unpack(digest) if digest else None,
        size=size or 0,
        is_damaged=damaged_at is not None,
        upload=upload_id,
        stored=stored or "",
    )


def _as_content(row: Row) -> ContentRow:
    content_id, digest, content_bytes, blob_id, damaged_at = row
    return ContentRow(
        content_id, Digest.unpack(digest), bytes(content_bytes), blob_id is not None, damaged_at is not None
    )


def _as_places(repositories: Sequence[Row], tags: Sequence[Row]) -> Places:
    return Places(
        tuple(name for (name,) in repositories[:_MOST_TOLD]),
        tuple(f"{name}:{named}" for name, named in tags[:_MOST_TOLD]),
        more=max(len(repositories), len(tags)) > _MOST_TOLD,
    )
