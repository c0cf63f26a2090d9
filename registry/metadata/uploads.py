"""Queries: upload sessions (design §5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import Caller, HashState, ObjectKey, Repository, UploadSession
from registry.core.quota import Growth
from registry.metadata.instants import to_micros
from registry.metadata.limits import IS_LIMITED
from registry.metadata.moment import Moment
from registry.metadata.objects import Objects
from registry.metadata.reservations import Reservations
from registry.metadata.schema import repository, reservation, stored_object, upload
from registry.metadata.statements import Row
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName

_ADD: Final = sa.insert(upload).values(
    {each: p(each) for each in ("uuid", "repository_id", "principal_id", "algorithm", "created_at", "expires_at")}
)
upload_sessions: Final = sa.select(
    upload.c.id,
    upload.c.uuid,
    repository.c.id,
    repository.c.name,
    repository.c.project_id,
    upload.c.principal_id,
    upload.c.epoch,
    upload.c.offset,
    upload.c.stored,
    upload.c.algorithm,
    upload.c.hash_format,
    upload.c.hash_state,
    stored_object.c.key,
    upload.c.object_id,
    upload.c.finished,
    IS_LIMITED,
).select_from(
    upload.join(repository, repository.c.id == upload.c.repository_id).outerjoin(
        stored_object, stored_object.c.id == upload.c.object_id
    )
)
_FIND: Final = upload_sessions.where(
    upload.c.uuid == p("uuid"), repository.c.name == p("name"), repository.c.deleted_at.is_(None)
).with_for_update(of=upload)
_EXPIRED: Final = (
    upload_sessions.where(upload.c.expires_at <= p("now"))
    .order_by(upload.c.expires_at)
    .limit(p("limit"))
    .with_for_update(of=upload, skip_locked=True)
)
_LAPSED: Final = (
    upload_sessions.where(
        upload.c.id.in_(
            sa.select(reservation.c.upload_id).where(
                reservation.c.project_id == p("project"), reservation.c.expires_at <= p("now")
            )
        ),
        # Put off each time that bytes are acknowledged.
        upload.c.expires_at <= p("now"),
    )
    .limit(p("limit"))
    .with_for_update(of=upload, skip_locked=True)
)
# By its uuid, as ids come again: what is meant for a session that is gone must not find another one.
_EPOCH: Final = sa.select(upload.c.epoch).where(upload.c.uuid == p("uuid"))
_TAKE_OVER: Final = (
    sa.update(upload)
    .where(upload.c.id == p("upload"))
    .values(epoch=upload.c.epoch + 1, expires_at=p("expires_at"))
    .returning(upload.c.epoch)
)
_ATTACH: Final = sa.update(upload).where(upload.c.id == p("upload")).values(object_id=p("object_id"))
_MINE: Final = (upload.c.uuid == p("uuid"), upload.c.epoch == p("mine"), upload.c.finished.is_(None))
_ACKNOWLEDGE: Final = (
    sa.update(upload)
    .where(*_MINE)
    .values({each: p(each) for each in ("offset", "stored", "algorithm", "hash_format", "hash_state", "expires_at")})
    .returning(upload.c.id)
)
# The session lets go of its object, which belongs to the blob from now on: nobody may write to it, us included.
_FINISH: Final = (
    sa.update(upload)
    .where(*_MINE)
    .values(finished=p("finished"), object_id=sa.null(), expires_at=p("expires_at"), epoch=upload.c.epoch + 1)
    .returning(upload.c.id)
)
_CLAIM: Final = (
    sa.update(upload)
    .where(upload.c.uuid == p("uuid"), upload.c.epoch == p("mine"))
    .values(epoch=upload.c.epoch + 1)
    .returning(upload.c.object_id)
)
_REMOVE: Final = sa.delete(upload).where(upload.c.id == p("upload"))


class Uploads:
    """`ports.Uploads`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._objects = Objects(moment)
        self._reservations = Reservations(moment)

    def add(self, uuid: str, repository: Repository, caller: Caller, algorithm: str, expires: datetime) -> None:
        """A new session, without a byte."""
        self._moment.run(
            _ADD,
            uuid=uuid,
            repository_id=repository.id,
            principal_id=caller.principal,
            algorithm=algorithm,
            created_at=self._moment.micros,
            expires_at=to_micros(expires),
        )
        if repository.is_counted:
            self._moment.by = caller
            self._moment.tally.add(repository.project, Growth(uploads=1))

    def find(self, name: RepositoryName, uuid: str) -> UploadSession | None:
        """The session, if it belongs to this repository; finished ones too."""
        row = self._moment.first(_FIND, uuid=uuid, name=name.text)
        session = as_session(row) if row else None
        if session is not None and session.object is not None and session.key is None:
            # Attached while we waited for the session: the statement saw the new id beside no object. It is ours now.
            return as_session(self._moment.run(_FIND, uuid=uuid, name=name.text)[0])
        return session

    def epoch(self, session: UploadSession) -> int | None:
        """Its epoch by now; None when the session is gone."""
        row = self._moment.first(_EPOCH, uuid=session.uuid)
        return row[0] if row else None

    def take_over(self, session: UploadSession, expires: datetime) -> int:
        """Bump the epoch; the new one."""
        return int(self._moment.run(_TAKE_OVER, upload=session.id, expires_at=to_micros(expires))[0][0])

    def attach(self, session: UploadSession, object_id: int) -> None:
        """The object that its bytes go to."""
        self._moment.run(_ATTACH, upload=session.id, object_id=object_id)

    def acknowledge(
        self, session: UploadSession, offset: int, stored: str, state: HashState, expires: datetime
    ) -> bool:
        """Set what is durable, if nobody took over."""
        return bool(
            self._moment.run(
                _ACKNOWLEDGE,
                uuid=session.uuid,
                mine=session.epoch,
                offset=offset,
                stored=stored,
                algorithm=state.algorithm,
                hash_format=state.format,
                hash_state=state.state,
                expires_at=to_micros(expires),
            )
        )

    def finish(self, session: UploadSession, digest: Digest, keep_until: datetime) -> bool:
        """End it as committed, if nobody took over."""
        is_finished = bool(
            self._moment.run(
                _FINISH, uuid=session.uuid, mine=session.epoch, finished=digest.packed, expires_at=to_micros(keep_until)
            )
        )
        # What has reserved anything has an object.
        if is_finished and session.object is not None:
            self._reservations.release(session.id)
        return is_finished

    def remove(self, session: UploadSession) -> bool:
        """Forget it, and doom its object, if nobody took over; whether that was so."""
        row = self._moment.first(_CLAIM, uuid=session.uuid, mine=session.epoch)
        if row is None:
            return False
        if row[0] is not None:
            self._objects.doom(row[0])
            self._reservations.release(session.id)
        self._moment.run(_REMOVE, upload=session.id)
        return True

    def expired(self, limit: int) -> Sequence[UploadSession]:
        """Past their expiry, oldest first."""
        return [as_session(row) for row in self._moment.run(_EXPIRED, now=self._moment.micros, limit=limit)]

    def lapsed(self, project: int, limit: int) -> Sequence[UploadSession]:
        """Sessions of a project that have reserved something and are past their expiry; not those that others hold."""
        return [
            as_session(row) for row in self._moment.run(_LAPSED, project=project, now=self._moment.micros, limit=limit)
        ]


def as_session(row: Row) -> UploadSession:
    """A row of `upload_sessions`."""
    session_id, uuid, repository_id, name, project, principal, epoch, offset, stored, *rest = row
    *hashing, key, object_id, finished, is_limited = rest
    return UploadSession(
        id=session_id,
        uuid=uuid,
        repository=Repository(repository_id, RepositoryName(name), project, is_limited=is_limited),
        principal=principal,
        epoch=epoch,
        offset=offset,
        stored=stored,
        hash=HashState(*hashing),
        key=ObjectKey(key) if key else None,
        object=object_id,
        finished=Digest.unpack(finished) if finished else None,
    )
