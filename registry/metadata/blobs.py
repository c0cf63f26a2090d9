"""Queries: blobs by digest, over all repositories."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import ObjectKey
from registry.metadata.contents import put_content
from registry.metadata.moment import Moment
from registry.metadata.objects import Objects
from registry.metadata.schema import blob, stored_object
from registry.metadata.statements import Overtaken, Row
from registry.oci.digest import Digest

# Held, so that of two who commit the same blob each dooms what the other one left.
_FIND: Final = (
    sa.select(blob.c.id, blob.c.object_id).where(blob.c.digest == p("digest")).with_for_update(key_share=True)
)
_ADD: Final = (
    insert(blob)
    .values(
        digest=p("digest"),
        size=p("size"),
        object_id=p("object_id"),
        content_id=p("content_id"),
        verified_at=p("verified_at"),
    )
    .on_conflict_do_nothing(index_elements=["digest"])
    .returning(blob.c.id)
)
_REPLACE: Final = (
    sa.update(blob)
    .where(blob.c.id == p("blob"))
    .values(object_id=p("object_id"), content_id=p("content_id"), verified_at=p("verified_at"), damaged_at=sa.null())
)
_DAMAGE: Final = (
    sa.update(blob)
    .where(
        blob.c.digest == p("which"),
        blob.c.damaged_at.is_(None),
        blob.c.object_id == sa.select(stored_object.c.id).where(stored_object.c.key == p("key")).scalar_subquery(),
    )
    .values(damaged_at=p("damaged_at"))
    .returning(blob.c.id)
)


class Blobs:
    """`ports.Blobs`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._objects = Objects(moment)

    def put_object(self, digest: Digest, size: int, object_id: int) -> int:
        """The newest verified bytes win: the object is live, a former one doomed, damage healed (design §2)."""
        self._objects.live(object_id, size)
        return self._put(digest, size, self._held(digest), object_id=object_id, content_id=None)

    def put_content(self, digest: Digest, content: bytes) -> int:
        """The same for bytes that are kept in SQL."""
        # The blob first, then its bytes: as the collector, which takes the former and then looks at the latter.
        former = self._held(digest)
        content_id = put_content(self._moment, digest, content)
        return self._put(digest, len(content), former, object_id=None, content_id=content_id)

    def mark_damaged(self, digest: Digest, key: ObjectKey) -> bool:
        """Serve it no more, if it is still this object."""
        return bool(self._moment.run(_DAMAGE, which=digest.packed, key=key.text, damaged_at=self._moment.micros))

    def _held(self, digest: Digest) -> Row | None:
        return self._moment.first(_FIND, digest=digest.packed)

    def _put(
        self, digest: Digest, size: int, former: Row | None, *, object_id: int | None, content_id: int | None
    ) -> int:
        bytes_are = {"object_id": object_id, "content_id": content_id, "verified_at": self._moment.micros}
        if former is None:
            added = self._moment.first(_ADD, digest=digest.packed, size=size, **bytes_are)
            if added is not None:
                return int(added[0])
            # Somebody else was quicker, and ours are newer.
            former = self._held(digest)
            if former is None:
                raise Overtaken(str(digest))
        self._moment.run(_REPLACE, blob=former[0], **bytes_are)
        if former[1] is not None and former[1] != object_id:
            self._objects.doom(former[1])
        return int(former[0])
