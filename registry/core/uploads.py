"""Upload sessions: receiving a blob, in one request or in many, on any worker (distribution-spec, Pushing blobs).

    begin ─▶ open ──receive──▶ Reception: append … append ─▶ acknowledge ─▶ open, further on
              │                                          └──▶ commit ─────▶ finished: served, the session kept an hour
              └─ cancel, or idle for too long ─▶ gone, its object doomed

The row's offset is the truth: bytes are made durable, then acknowledged in one UPDATE, then answered. What lies beyond
the offset is cut off by whoever takes the session over, which every request for it does by bumping its epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from registry.core.facts import SMALL, Action, Caller, ContentKind, HashState, ObjectKey, UploadSession
from registry.core.ports import Hash, Hashes, Metadata, ObjectLost, ObjectStore, Receiver, Transaction
from registry.oci.digest import Digest
from registry.oci.errors import (
    ChunkOutOfOrder,
    DigestInvalid,
    StorageFull,
    UploadTakenOver,
    UploadUnknown,
)
from registry.oci.names import RepositoryName
from registry.oci.ranges import Span

KEPT_AFTER_FINISH: Final = timedelta(hours=1)
_REREAD: Final = 1 << 20


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
        return self.metadata.transact(self.beginning(name, caller, algorithm))

    def beginning(self, name: RepositoryName, caller: Caller, algorithm: str) -> Callable[[Transaction], str]:
        """The transaction of `begin`."""
        uuid = self.new_id()

        def add(tx: Transaction) -> str:
            tx.uploads.add(uuid, tx.repositories.get_or_create(name), caller, algorithm, tx.now + self.expiry)
            return uuid

        return add

    def offset(self, name: RepositoryName, uuid: str, caller: Caller) -> int:
        """How many bytes are durable; a request still sending to the session is cut off. Raises: UploadUnknown."""
        return self._take_over(name, uuid, caller, None, None).offset

    def peek(self, name: RepositoryName, uuid: str, caller: Caller) -> int | None:
        """How many bytes are durable, disturbing nobody; None when there is no such session to go on with."""
        session = self.metadata.observe(lambda tx: tx.uploads.find(name, uuid))
        return session.offset if session and _is_open_to(session, caller) else None

    def receive(
        self, name: RepositoryName, uuid: str, caller: Caller, chunk: Span | None, digest: Digest | None = None
    ) -> Reception:
        """Take the session over for one request's bytes; `chunk` is its Content-Range, `digest` the name to come.

        Raises: UploadUnknown, ChunkOutOfOrder, UploadTakenOver, StorageFull.
        """
        session = self._take_over(name, uuid, caller, chunk, self.new_key())
        if session.offset == 0 and digest is not None:
            # Nothing is hashed yet, and the name it will have is known: hash once, by the right algorithm.
            session = replace(session, hash=HashState(digest.algorithm, "", None))
        return Reception.open(self, session)

    def finished(self, name: RepositoryName, uuid: str, caller: Caller) -> Digest | None:
        """What the session was committed as, for a client that lost the answer and asks again."""
        session = self.metadata.observe(lambda tx: tx.uploads.find(name, uuid))
        return session.finished if session and session.principal == caller.principal else None

    def put_small(self, name: RepositoryName, uuid: str | None, caller: Caller, digest: Digest, content: bytes) -> bool:
        """Commit a small blob that came whole, by one transaction and without an object; `uuid` None for a single POST.

        False when the session has bytes already, and must go on as it began. Raises: UploadUnknown, DigestInvalid.
        """
        return self.metadata.transact(self.putting_small(name, uuid, caller, digest, content))

    def putting_small(
        self, name: RepositoryName, uuid: str | None, caller: Caller, digest: Digest, content: bytes
    ) -> Callable[[Transaction], bool]:
        """The transaction of `put_small`. Raises: DigestInvalid, of what needs no session to be seen."""

        def commit(tx: Transaction) -> bool:
            if uuid is not None:
                session = _find(tx, name, uuid, caller)
                if session.offset or session.object:
                    return False
                self._check(digest, Digest.of(content, digest.algorithm))
                tx.uploads.finish(session, digest, tx.now + KEPT_AFTER_FINISH)
            tx.blobs.put_content(digest, content)
            self._link(tx, name, digest, len(content), caller)
            return True

        if uuid is None:
            self._check(digest, Digest.of(content, digest.algorithm))
        return commit

    def close_begun(self, name: RepositoryName, uuid: str, caller: Caller, digest: Digest, content: bytes) -> None:
        """Commit a session that has bytes already, and whose last ones came whole and are few: none, often.

        Raises: UploadUnknown, UploadTakenOver, DigestInvalid, StorageFull.
        """
        reception = self.receive(name, uuid, caller, None, digest)
        try:
            if content:
                reception.append([content])
            reception.commit(digest, caller)
        finally:
            reception.close()

    def cancel(self, name: RepositoryName, uuid: str, caller: Caller) -> None:
        """End the session; what it received is given back. Raises: UploadUnknown."""

        def end(tx: Transaction) -> None:
            tx.uploads.remove(_find(tx, name, uuid, caller))

        self.metadata.transact(end)

    def _take_over(
        self, name: RepositoryName, uuid: str, caller: Caller, chunk: Span | None, key: ObjectKey | None
    ) -> UploadSession:
        def take(tx: Transaction) -> UploadSession:
            session = _find(tx, name, uuid, caller)
            if chunk is not None and chunk.start != session.offset:
                # Before the epoch moves: a chunk that cannot be taken disturbs nobody.
                raise ChunkOutOfOrder(offset=session.offset, start=chunk.start)
            session = replace(session, epoch=tx.uploads.take_over(session, tx.now + self.expiry))
            if key is not None and session.object is None:
                session = replace(session, object=tx.objects.add(key), key=key)
                assert session.object is not None  # noqa: S101  for the type checker: it was added in the line above
                tx.uploads.attach(session, session.object)
            return session

        return self.metadata.transact(take)

    def _link(self, tx: Transaction, name: RepositoryName, digest: Digest, size: int, caller: Caller) -> None:
        repository = tx.repositories.get_or_create(name)
        if tx.links.put(repository, digest, self.lease):
            tx.repositories.charge(repository, ContentKind.BLOB, digest, size)
        tx.journal.review(repository, ContentKind.BLOB, digest, tx.now + self.lease)
        tx.journal.event(Action.PUSH_BLOB, repository, caller, digest)

    @staticmethod
    def _check(claimed: Digest, computed: Digest) -> None:
        if claimed != computed:
            raise DigestInvalid(digest=str(claimed), computed=str(computed))


class Reception:
    """One request's bytes on their way into a session. Close it, whatever happens."""

    def __init__(self, service: UploadService, session: UploadSession, receiver: Receiver, hash_: Hash | None) -> None:
        """`hash_` is None where the session's cannot be taken up: then the bytes are read again at the end."""
        self._service = service
        self._session = session
        self._receiver = receiver
        self._hash = hash_
        self.offset = session.offset

    @classmethod
    def open(cls, service: UploadService, session: UploadSession) -> Reception:
        """Drain an earlier writer, cut what it left beyond the offset, and take up the hash."""
        metadata = service.metadata

        def still_mine() -> bool:
            return metadata.observe(lambda tx: tx.uploads.epoch(session)) == session.epoch

        with _ending_the_lost(service, session):
            receiver = service.store.receive(_key(session), session.offset, session.stored, still_mine)
        if receiver is None:
            raise UploadTakenOver(upload=session.uuid)
        return cls(service, session, receiver, _take_up(service, session))

    def append(self, chunks: Sequence[bytes]) -> None:
        """Raises: UploadTakenOver, UploadUnknown, StorageFull; the last gives back what this request took."""
        with _ending_the_lost(self._service, self._session):
            # In one piece: each call into the kernel or the hash hands the interpreter over, and 64 KiB are soon done.
            piece = b"".join(chunks)
            try:
                written = self._receiver.append([piece])
            except StorageFull:
                self._receiver.cut(self._session.offset)
                raise
            if not written:
                raise UploadTakenOver(upload=self._session.uuid)
            if self._hash is not None:
                self._hash.update(piece)
            self.offset += len(piece)

    def acknowledge(self) -> int:
        """Make the bytes so far durable, and the session's; the new offset. Raises: UploadTakenOver, StorageFull."""
        with self._dying_of_a_failed_sync():
            stored = self._receiver.sync()
        state = self._hash.save() if self._hash is not None else replace(self._session.hash, state=None)
        expiry = self._service.expiry

        def set_offset(tx: Transaction) -> bool:
            return tx.uploads.acknowledge(self._session, self.offset, stored, state, tx.now + expiry)

        if not self._service.metadata.transact(set_offset):
            raise UploadTakenOver(upload=self._session.uuid)
        self._session = replace(self._session, offset=self.offset, stored=stored, hash=state)
        return self.offset

    def commit(self, digest: Digest, caller: Caller) -> None:
        """The bytes so far are this blob, and the repository serves it from the moment this returns.

        A wrong digest costs this request's bytes, not the session.
        Raises: DigestInvalid, UploadTakenOver, UploadUnknown, StorageFull.
        """
        with _ending_the_lost(self._service, self._session):
            computed, content = self._computed(digest.algorithm)
            if computed != digest:
                if not self._receiver.cut(self._session.offset):
                    # Sealed, in a store that takes nothing back.
                    _end(self._service, self._session)
                raise DigestInvalid(digest=str(digest), computed=str(computed))
            if content is None:
                self._seal()
            try:
                self._service.metadata.transact(lambda tx: self._finish(tx, digest, content, caller))
            except StorageFull:
                self._receiver.cut(self._session.offset)
                raise

    def give_back(self) -> None:
        """Cut what this request appended and nobody acknowledged."""
        self._receiver.cut(self._session.offset)

    def close(self) -> None:
        """Let go of the object."""
        self._receiver.__exit__(None, None, None)

    def _computed(self, algorithm: str) -> tuple[Digest, bytes | None]:
        """The name of the bytes, and the bytes themselves where they are few enough for SQL: no file to read then."""
        if self.offset <= SMALL:
            content = self._receiver.content()
            if content is None:
                raise UploadTakenOver(upload=self._session.uuid)
            return Digest.of(content, algorithm), content
        if self._hash is not None and algorithm == self._session.hash.algorithm:
            return Digest(algorithm, self._hash.hexdigest()), None
        # Hashed by another algorithm so far, or not to the end: read once, which only a whole object can be.
        self._seal()
        return Digest(algorithm, _hash_again(self._service, _key(self._session), self.offset, algorithm)), None

    def _seal(self) -> None:
        with self._dying_of_a_failed_sync():
            is_sealed = self._receiver.seal()
        if not is_sealed:
            raise UploadTakenOver(upload=self._session.uuid)

    def _finish(self, tx: Transaction, digest: Digest, content: bytes | None, caller: Caller) -> None:
        session = self._session
        if not tx.uploads.finish(session, digest, tx.now + KEPT_AFTER_FINISH):
            raise UploadTakenOver(upload=session.uuid)
        assert session.object is not None  # noqa: S101  a session that receives has its object
        if content is None:
            tx.blobs.put_object(digest, self.offset, session.object)
        else:
            tx.blobs.put_content(digest, content)
            tx.objects.doom(session.object)
        if self._receiver.leftovers is not None:
            tx.objects.doom(tx.objects.add(self._receiver.leftovers))
        self._service._link(tx, session.repository.name, digest, self.offset, caller)  # noqa: SLF001  two halves of one room

    @contextmanager
    def _dying_of_a_failed_sync(self) -> Iterator[None]:
        """A second fsync would succeed without the bytes that the first one lost: so the session ends (design §2)."""
        try:
            yield
        except (OSError, StorageFull):
            try:
                self._receiver.cut(0)
            finally:
                # Whether or not such a disk lets go of the bytes.
                _end(self._service, self._session)
            raise


@contextmanager
def _ending_the_lost(service: UploadService, session: UploadSession) -> Iterator[None]:
    """Where what was acknowledged is gone, no continuation can be right: the session ends. Raises: UploadUnknown."""
    try:
        yield
    except ObjectLost:
        _end(service, session)
        raise UploadUnknown(upload=session.uuid) from None


def _end(service: UploadService, session: UploadSession) -> None:
    service.metadata.transact(lambda tx: tx.uploads.remove(session))


def _find(tx: Transaction, name: RepositoryName, uuid: str, caller: Caller) -> UploadSession:
    session = tx.uploads.find(name, uuid)
    if session is None or not _is_open_to(session, caller):
        raise UploadUnknown(upload=uuid[:64])
    return session


def _is_open_to(session: UploadSession, caller: Caller) -> bool:
    """A session is bound to its repository and its principal (CVE-2026-32589: an id alone opens nothing)."""
    return session.principal == caller.principal and session.finished is None


def _take_up(service: UploadService, session: UploadSession) -> Hash | None:
    if session.offset == 0:
        return service.hashes.new(session.hash.algorithm)
    return service.hashes.load(session.hash)


def _hash_again(service: UploadService, key: ObjectKey, length: int, algorithm: str) -> str:
    known = service.hashes.new(algorithm)
    with service.store.open(key) as stream:
        left = length
        while left and (data := stream.read(min(left, _REREAD))):
            known.update(data)
            left -= len(data)
    if left:
        raise ObjectLost(key)
    return known.hexdigest()


def _key(session: UploadSession) -> ObjectKey:
    assert session.key is not None  # noqa: S101  whoever takes a session over to write gives it an object
    return session.key
