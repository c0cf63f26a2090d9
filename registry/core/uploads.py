"""Upload sessions: receiving a blob, in one request or in many, on any worker (distribution-spec, Pushing blobs).

    begin ─▶ open ──receive──▶ Reception: append … append ─▶ acknowledge ─▶ open, further on
              │                                          └──▶ commit ─────▶ finished: served, the session kept an hour
              └─ cancel, idle for too long, no room for it ─▶ gone, its object doomed

The row's offset is the truth: bytes are made durable, then acknowledged in one UPDATE, then answered. What lies beyond
the offset is cut off by whoever takes the session over, which every request for it does by bumping its epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from registry.core.facts import Caller, HashState, ObjectKey, UploadSession
from registry.core.linking import link_pushed
from registry.core.ports import Hashes, Metadata, ObjectStore, Transaction
from registry.core.quota import Accepted
from registry.core.reception import KEPT_AFTER_FINISH, Reception
from registry.core.reserving import reserve
from registry.oci.digest import Digest
from registry.oci.errors import (
    ChunkOutOfOrder,
    DigestInvalid,
    QuotaExceeded,
    UploadUnknown,
)
from registry.oci.names import RepositoryName
from registry.oci.ranges import Span


@dataclass(frozen=True, slots=True)
class UploadService:
    """The rules of upload sessions. Durations: `lease` of a committed blob, `expiry` of an idle session."""

    metadata: Metadata
    store: ObjectStore
    hashes: Hashes
    new_id: Callable[[], str]
    new_key: Callable[[], ObjectKey]
    lease: timedelta
    expiry: timedelta

    def begin(self, name: RepositoryName, caller: Caller, algorithm: str = "sha256") -> str:
        """A new session, and with it the repository if this is its first push; the session's id."""
        return self.metadata.transact(self.beginning(name, caller, algorithm))[0]

    def beginning(
        self, name: RepositoryName, caller: Caller, algorithm: str
    ) -> Callable[[Transaction], tuple[str, Accepted]]:
        """The transaction of `begin`, and what is to be told of soft limits."""
        uuid = self.new_id()

        def add(tx: Transaction) -> tuple[str, Accepted]:
            tx.uploads.add(uuid, tx.repositories.get_or_create(name, caller), caller, algorithm, tx.now + self.expiry)
            return uuid, Accepted(tx.notices)

        return add

    def offset(self, name: RepositoryName, uuid: str, caller: Caller) -> int:
        """How many bytes are durable; a request still sending to the session is cut off. Raises: UploadUnknown."""
        return self._take_over(name, uuid, caller)[0].offset

    def peek(self, name: RepositoryName, uuid: str, caller: Caller) -> int | None:
        """How many bytes are durable, disturbing nobody; None when there is no such session to go on with."""
        session = self.metadata.observe(lambda tx: tx.uploads.find(name, uuid))
        return session.offset if session and _is_open_to(session, caller) else None

    def receive(
        self,
        name: RepositoryName,
        uuid: str,
        caller: Caller,
        chunk: Span | None,
        digest: Digest | None = None,
        length: int | None = None,
    ) -> Reception:
        """Take the session over for one request's bytes: `length` of them, where that is known before they come.

        `chunk` is its Content-Range, `digest` the name to come.
        Raises: UploadUnknown, ChunkOutOfOrder, UploadTakenOver, StorageFull; QuotaExceeded, which ends the session.
        """
        body = Body(self.new_key(), chunk, digest, length)
        with self._ending_the_refused(name, uuid, caller):
            session, allowed = self._take_over(name, uuid, caller, body)
        if session.offset == 0 and digest is not None:
            # Nothing is hashed yet, and the name it will have is known: hash once, by the right algorithm.
            session = replace(session, hash=HashState(digest.algorithm, "", None))
        return Reception.open(self, session, allowed)

    def finished(self, name: RepositoryName, uuid: str, caller: Caller) -> Digest | None:
        """What the session was committed as, for a client that lost the answer and asks again."""
        session = self.metadata.observe(lambda tx: tx.uploads.find(name, uuid))
        return session.finished if session and session.principal == caller.principal else None

    def put_small(
        self, name: RepositoryName, uuid: str | None, caller: Caller, digest: Digest, content: bytes
    ) -> Accepted | None:
        """Commit a small blob that came whole, by one transaction and without an object; `uuid` None for a single POST.

        What is to be told of soft limits; None when the session has bytes already, and must go on as it began.
        Raises: UploadUnknown, DigestInvalid, QuotaExceeded.
        """
        return self.metadata.transact(self.putting_small(name, uuid, caller, digest, content))

    def putting_small(
        self, name: RepositoryName, uuid: str | None, caller: Caller, digest: Digest, content: bytes
    ) -> Callable[[Transaction], Accepted | None]:
        """The transaction of `put_small`. Raises: DigestInvalid, of what needs no session to be seen."""

        def commit(tx: Transaction) -> Accepted | None:
            if uuid is not None:
                session = _find(tx, name, uuid, caller)
                if session.offset or session.object:
                    return None
                self._check(digest, Digest.of(content, digest.algorithm))
                tx.uploads.finish(session, digest, tx.now + KEPT_AFTER_FINISH)
            tx.blobs.put_content(digest, content)
            link_pushed(tx, name, digest, len(content), caller, self.lease)
            return Accepted(tx.notices)

        if uuid is None:
            self._check(digest, Digest.of(content, digest.algorithm))
        return commit

    def close_begun(self, name: RepositoryName, uuid: str, caller: Caller, digest: Digest, content: bytes) -> Accepted:
        """Commit a session that has bytes already, and whose last ones came whole and are few: none, often.

        What is to be told of soft limits.
        Raises: UploadUnknown, UploadTakenOver, DigestInvalid, StorageFull; QuotaExceeded, which ends the session.
        """
        reception = self.receive(name, uuid, caller, None, digest, len(content))
        try:
            if content:
                reception.append([content])
            return reception.commit(digest, caller)
        finally:
            reception.close()

    def cancel(self, name: RepositoryName, uuid: str, caller: Caller) -> None:
        """End the session; what it received is given back. Raises: UploadUnknown."""

        def end(tx: Transaction) -> None:
            tx.uploads.remove(_find(tx, name, uuid, caller))

        self.metadata.transact(end)

    def _take_over(
        self, name: RepositoryName, uuid: str, caller: Caller, body: Body | None = None
    ) -> tuple[UploadSession, int | None]:
        """With the bytes that it may hold, once a body has come; None where that is any number."""

        def take(tx: Transaction) -> tuple[UploadSession, int | None]:
            session = _find(tx, name, uuid, caller)
            if body is not None and body.chunk is not None and body.chunk.start != session.offset:
                # Before the epoch moves: a chunk that cannot be taken disturbs nobody.
                raise ChunkOutOfOrder(offset=session.offset, start=body.chunk.start)
            session = replace(session, epoch=tx.uploads.take_over(session, tx.now + self.expiry))
            if body is None:
                return session, None
            if session.object is None:
                session = replace(session, object=tx.objects.add(body.key), key=body.key)
                assert session.object is not None  # noqa: S101  for the type checker: it was added in the line above
                tx.uploads.attach(session, session.object)
            return session, reserve(tx, session, body.length, body.digest)

        return self.metadata.transact(take)

    @contextmanager
    def _ending_the_refused(self, name: RepositoryName, uuid: str, caller: Caller) -> Iterator[None]:
        """What there is no room for is not gone on with: the session ends, and what it reserved is given back."""
        try:
            yield
        except QuotaExceeded:
            with suppress(UploadUnknown):
                self.cancel(name, uuid, caller)
            raise

    @staticmethod
    def _check(claimed: Digest, computed: Digest) -> None:
        if claimed != computed:
            raise DigestInvalid(digest=str(claimed), computed=str(computed))


@dataclass(frozen=True, slots=True)
class Body:
    """What is known of a request's bytes before they come, and the key that they go to if the session has none."""

    key: ObjectKey
    chunk: Span | None
    digest: Digest | None
    length: int | None


def _find(tx: Transaction, name: RepositoryName, uuid: str, caller: Caller) -> UploadSession:
    session = tx.uploads.find(name, uuid)
    if session is None or not _is_open_to(session, caller):
        raise UploadUnknown(upload=uuid[:64])
    return session


def _is_open_to(session: UploadSession, caller: Caller) -> bool:
    """A session is bound to its repository and its principal (CVE-2026-32589: an id alone opens nothing)."""
    return session.principal == caller.principal and session.finished is None
