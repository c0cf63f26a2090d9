"""Queries: repairs of rows that contradict each other or the store (fsck); each asks again whether they still do."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import ObjectKey
from registry.metadata.moment import Moment
from registry.metadata.schema import blob, stored_object, upload
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
_END_SESSION: Final = (
    sa.delete(upload)
    .where(
        upload.c.id == p("upload"),
        upload.c.object_id.in_(sa.select(stored_object.c.id).where(stored_object.c.state != p("receiving"))),
    )
    .returning(upload.c.id)
)
_heal: Final = (
    sa.update(blob)
    .where(blob.c.digest == p("which"), blob.c.damaged_at.is_not(None))
    .values(damaged_at=sa.null(), verified_at=p("verified_at"))
    .returning(blob.c.id)
)
_HEAL: Final = _heal.where(
    blob.c.object_id == sa.select(stored_object.c.id).where(stored_object.c.key == p("key")).scalar_subquery()
)
_HEAL_CONTENT: Final = _heal.where(blob.c.content_id.is_not(None))
_DAMAGE_CONTENT: Final = (
    sa.update(blob)
    .where(blob.c.digest == p("which"), blob.c.damaged_at.is_(None), blob.c.content_id.is_not(None))
    .values(damaged_at=p("damaged_at"))
    .returning(blob.c.id)
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
        return bool(self._moment.run(_END_SESSION, upload=upload, receiving="receiving"))

    def heal(self, digest: Digest, key: ObjectKey | None) -> bool:
        """Serve it again."""
        which = {"which": digest.packed, "verified_at": self._moment.micros}
        if key is None:
            return bool(self._moment.run(_HEAL_CONTENT, **which))
        return bool(self._moment.run(_HEAL, **which, key=key.text))

    def mark_content_damaged(self, digest: Digest) -> bool:
        """Serve it no more."""
        return bool(self._moment.run(_DAMAGE_CONTENT, which=digest.packed, damaged_at=self._moment.micros))
