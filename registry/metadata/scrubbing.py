"""Queries: blobs by when their objects were last read, and what is marked damaged (scrub)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import ContentKind, ObjectKey
from registry.core.fsck_facts import ObjectRow, ObjectState
from registry.core.scrub_facts import Due, Sums
from registry.metadata.instants import from_micros, to_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import blob, content, manifest, stored_object
from registry.metadata.statements import Row
from registry.metadata.sums import total
from registry.oci.digest import Digest

_order: Final = (blob.c.verified_at, blob.c.id)
_due: Final = (
    sa.select(
        *_order,
        stored_object.c.id,
        stored_object.c.key,
        stored_object.c.state,
        blob.c.digest,
        blob.c.size,
        blob.c.damaged_at,
    )
    .select_from(blob.join(stored_object, stored_object.c.id == blob.c.object_id))
    .where(blob.c.verified_at <= p("until"), sa.tuple_(*_order) > sa.tuple_(p("verified"), p("blob")))
    .order_by(*_order)
    .limit(p("limit"))
)
_DUE: Final = {
    # In the words of the index, which has no others in it.
    False: _due.where(blob.c.object_id.is_not(None), blob.c.damaged_at.is_(None)),
    True: _due.where(blob.c.damaged_at.is_not(None)),
}
_BYTES_DUE: Final = sa.select(total(blob.c.size)).where(
    blob.c.verified_at <= p("until"), blob.c.object_id.is_not(None), blob.c.damaged_at.is_(None)
)
_LOOKED: Final = (
    sa.update(blob)
    .where(blob.c.digest == p("which"), blob.c.object_id == p("object"))
    .values(verified_at=p("verified_at"))
)
_is_fresh: Final = blob.c.verified_at > p("since")
_OBJECTS: Final = sa.select(
    sa.func.count(),
    total(blob.c.size),
    sa.func.count(sa.case((_is_fresh, blob.c.id))),
    total(sa.case((_is_fresh, blob.c.size))),
    sa.func.min(blob.c.verified_at),
).where(blob.c.object_id.is_not(None), blob.c.damaged_at.is_(None))
_CONTENTS: Final = sa.select(
    sa.select(sa.func.count()).select_from(content).scalar_subquery(),
    sa.select(sa.func.count()).select_from(content).where(content.c.id <= p("walked")).scalar_subquery(),
)
_is_manifest: Final = sa.exists().where(manifest.c.content_id == content.c.id)
_BLOBS: Final = (
    sa.select(blob.c.digest, blob.c.size, blob.c.damaged_at)
    .where(blob.c.damaged_at.is_not(None), blob.c.digest > p("after"))
    .order_by(blob.c.digest)
    .limit(p("limit"))
)
_MANIFESTS: Final = (
    sa.select(content.c.digest, sa.func.length(content.c.bytes), content.c.damaged_at)
    .where(content.c.damaged_at.is_not(None), _is_manifest, content.c.digest > p("after"))
    .order_by(content.c.digest)
    .limit(p("limit"))
)
_DAMAGED: Final = {ContentKind.BLOB: _BLOBS, ContentKind.MANIFEST: _MANIFESTS}
_COUNTS: Final = sa.select(
    sa.select(sa.func.count()).select_from(blob).where(blob.c.damaged_at.is_not(None)).scalar_subquery(),
    sa.select(sa.func.count())
    .select_from(content)
    .where(content.c.damaged_at.is_not(None), _is_manifest)
    .scalar_subquery(),
)


class Scrubbing:
    """`nouns.Scrubbing`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def due(self, until: datetime, last: Due | None, limit: int, *, damaged: bool) -> Sequence[Due]:
        """The longest ago first."""
        rows = self._moment.run(
            _DUE[damaged],
            until=to_micros(until),
            verified=to_micros(last.verified) if last else -1,
            blob=last.blob if last else 0,
            limit=limit,
        )
        return [_as_due(row) for row in rows]

    def bytes_due(self, until: datetime) -> int:
        """Of all whole ones together."""
        size: int = self._moment.run(_BYTES_DUE, until=to_micros(until))[0][0]
        return size

    def looked(self, rows: Iterable[ObjectRow]) -> None:
        """They were read just now; in the order of digests, as whoever locks more than one blob."""
        looked = sorted((row.digest.packed, row.id) for row in rows if row.digest is not None)
        if looked:
            at = self._moment.micros
            self._moment.run_many(
                _LOOKED, [{"which": digest, "object": object_id, "verified_at": at} for digest, object_id in looked]
            )

    def sums(self, since: datetime, walked: int) -> Sums:
        """How much there is, was read lately, and is damaged."""
        objects, size, verified, verified_size, oldest = self._moment.run(_OBJECTS, since=to_micros(since))[0]
        contents, passed = self._moment.run(_CONTENTS, walked=walked)[0]
        blobs, manifests = self._moment.run(_COUNTS)[0]
        return Sums(
            objects,
            size,
            verified,
            verified_size,
            None if oldest is None else from_micros(oldest),
            contents,
            passed,
            blobs,
            manifests,
        )

    def damaged(self, kind: ContentKind, after: Digest | None, limit: int) -> Sequence[tuple[Digest, int, datetime]]:
        """By digest."""
        rows = self._moment.run(_DAMAGED[kind], after=after.packed if after else b"", limit=limit)
        return [(Digest.unpack(digest), size, from_micros(since)) for digest, size, since in rows]


def _as_due(row: Row) -> Due:
    verified_at, blob_id, object_id, key, state, digest, size, damaged_at = row
    found = ObjectRow(
        id=object_id,
        key=ObjectKey(key),
        state=ObjectState(state),
        digest=Digest.unpack(digest),
        size=size,
        is_damaged=damaged_at is not None,
    )
    return Due(from_micros(verified_at), blob_id, found)
