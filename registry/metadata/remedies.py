"""Queries: repairs of rows that contradict each other or the store (fsck); each asks again whether they still do."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import ObjectKey
from registry.metadata.moment import Moment
from registry.metadata.reservations import Reservations
from registry.metadata.schema import blob, content, stored_object, upload
from registry.oci.digest import Digest

_named_by_blob: Final = sa.exists().where(blob.c.object_id == stored_object.c.id)
_named_by_upload: Final = sa.exists().where(upload.c.object_id == stored_object.c.id)
_OWN: Final = (
    insert(stored_object)
    .values(key=p("key"), state="doomed", changed_at=p("changed_at"))
    .on_conflict_do_nothing(index_elements=["key"])
    .returning(stored_object.c.id)
)
_DOOM_UNNAMED: Final = (
    sa.update(stored_object)
    .where(stored_object.c.id == p("object"), stored_object.c.state != p("doomed"), ~_named_by_blob, ~_named_by_upload)
    .values(state=p("doomed"), changed_at=p("changed_at"))
    .returning(stored_object.c.id)
)
_REVIVE: Final = (
    sa.update(stored_object)
    .where(stored_object.c.id == p("object"), stored_object.c.state != p("live"), _named_by_blob)
    .values(
        state=p("live"),
        size=sa.select(blob.c.size).where(blob.c.object_id == p("object")).scalar_subquery(),
        changed_at=p("changed_at"),
    )
    .returning(stored_object.c.id)
)
_HOLD_SESSION: Final = (
    sa.select(upload.c.id)
    .where(
        upload.c.id == p("upload"),
        upload.c.object_id.in_(sa.select(stored_object.c.id).where(stored_object.c.state != p("receiving"))),
    )
    .with_for_update()
)
_END_SESSION: Final = sa.delete(upload).where(upload.c.id == p("upload"))
_heal: Final = (
    sa.update(blob)
    .where(blob.c.damaged_at.is_not(None))
    .values(damaged_at=sa.null(), verified_at=p("verified_at"))
    .returning(blob.c.id)
)
_HEAL: Final = _heal.where(
    blob.c.digest == p("which"),
    blob.c.object_id == sa.select(stored_object.c.id).where(stored_object.c.key == p("key")).scalar_subquery(),
)
# The very bytes that were judged: who pushes them again meanwhile is the later one.
_judged: Final = (content.c.digest == p("which"), content.c.bytes == p("judged"))
_HEAL_CONTENT: Final = (
    sa.update(content)
    .where(*_judged, content.c.damaged_at.is_not(None))
    .values(damaged_at=sa.null())
    .returning(content.c.id)
)
_HEAL_SMALL: Final = _heal.where(blob.c.content_id.in_(sa.select(content.c.id).where(*_judged)))
_DAMAGE_CONTENT: Final = (
    sa.update(content)
    .where(*_judged, content.c.damaged_at.is_(None))
    .values(damaged_at=p("damaged_at"))
    .returning(content.c.id)
)
_DAMAGE_SMALL: Final = (
    sa.update(blob)
    .where(blob.c.content_id == p("content"), blob.c.damaged_at.is_(None))
    .values(damaged_at=p("damaged_at"))
)


class Remedies:
    """`nouns.Remedies`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def own(self, key: ObjectKey) -> bool:
        """A doomed row takes the key."""
        return bool(self._moment.run(_OWN, key=key.text, changed_at=self._moment.micros))

    def doom_unnamed(self, object_id: int) -> bool:
        """Doom what nobody names."""
        return bool(self._moment.run(_DOOM_UNNAMED, object=object_id, doomed="doomed", changed_at=self._moment.micros))

    def revive(self, object_id: int) -> bool:
        """Make live what a blob names."""
        return bool(self._moment.run(_REVIVE, object=object_id, live="live", changed_at=self._moment.micros))

    def end_session(self, upload: int) -> bool:
        """Forget a session that has nothing to receive into."""
        if not self._moment.run(_HOLD_SESSION, upload=upload, receiving="receiving"):
            return False
        Reservations(self._moment).release(upload)
        self._moment.run(_END_SESSION, upload=upload)
        return True

    def heal(self, digest: Digest, key: ObjectKey) -> bool:
        """Serve it again."""
        return bool(self._moment.run(_HEAL, which=digest.packed, key=key.text, verified_at=self._moment.micros))

    def heal_content(self, digest: Digest, content: bytes) -> bool:
        """Serve again whatever takes these bytes."""
        judged = {"which": digest.packed, "judged": content}
        manifests = self._moment.run(_HEAL_CONTENT, **judged)
        return bool(manifests + self._moment.run(_HEAL_SMALL, **judged, verified_at=self._moment.micros))

    def mark_content_damaged(self, digest: Digest, content: bytes) -> bool:
        """Serve nothing that takes these bytes."""
        at = self._moment.micros
        marked = self._moment.first(_DAMAGE_CONTENT, which=digest.packed, judged=content, damaged_at=at)
        if marked is not None:
            self._moment.run(_DAMAGE_SMALL, content=marked[0], damaged_at=at)
        return marked is not None
