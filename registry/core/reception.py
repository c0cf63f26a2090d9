"""Receiving: one request's bytes into its upload session, which was taken over for it (`uploads`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from registry.core.facts import SMALL, Caller, ObjectKey, UploadSession
from registry.core.linking import link_pushed
from registry.core.ports import Hash, ObjectLost, Receiver, Transaction
from registry.core.quota import Accepted
from registry.core.reserving import reserve_kept, reserve_more
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid, QuotaExceeded, StorageFull, UploadTakenOver, UploadUnknown

if TYPE_CHECKING:
    from registry.core.uploads import UploadService

KEPT_AFTER_FINISH: Final = timedelta(hours=1)
_REREAD: Final = 1 << 20


class Reception:
    """One request's bytes on their way into a session. Close it, whatever happens."""

    def __init__(
        self,
        service: UploadService,
        session: UploadSession,
        receiver: Receiver,
        hash_: Hash | None,
        allowed: int | None,
    ) -> None:
        """`hash_` is None where the session's cannot be taken up: then the bytes are read again at the end.

        `allowed` is how many bytes the session may hold before it must reserve more; None where that is any number.
        """
        self._service = service
        self._session = session
        self._allowed = allowed
        self._receiver = receiver
        self._hash = hash_
        self.offset = session.offset

    @classmethod
    def open(cls, service: UploadService, session: UploadSession, allowed: int | None = None) -> Reception:
        """Drain an earlier writer, cut what it left beyond the offset, and take up the hash."""
        metadata = service.metadata

        def still_mine() -> bool:
            return metadata.observe(lambda tx: tx.uploads.epoch(session)) == session.epoch

        with _ending_the_lost(service, session):
            receiver = service.store.receive(_key(session), session.offset, session.stored, still_mine)
        if receiver is None:
            raise UploadTakenOver(upload=session.uuid)
        return cls(service, session, receiver, _take_up(service, session), allowed)

    def append(self, chunks: Sequence[bytes]) -> None:
        """Raises: UploadTakenOver, UploadUnknown, StorageFull, QuotaExceeded.

        StorageFull gives back what this request took, QuotaExceeded ends the session.
        """
        # In one piece: each call into the kernel or the hash hands the interpreter over, and 64 KiB are soon done.
        piece = b"".join(chunks)
        if self._allowed is not None and self.offset + len(piece) > self._allowed:
            self._allowed = self._reserve_more(self.offset + len(piece))
        with _ending_the_lost(self._service, self._session):
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
        """Make the bytes so far durable, and the session's; the new offset.

        Raises: UploadTakenOver, StorageFull; QuotaExceeded, which ends the session.
        """
        with self._dying_of_a_failed_sync():
            stored = self._receiver.sync()
        state = self._hash.save() if self._hash is not None else replace(self._session.hash, state=None)
        expiry = self._service.expiry

        def set_offset(tx: Transaction) -> None:
            if not tx.uploads.acknowledge(self._session, self.offset, stored, state, tx.now + expiry):
                raise UploadTakenOver(upload=self._session.uuid)
            if self._allowed is not None:
                reserve_kept(tx, self._session, self.offset)

        with self._ending_when_refused():
            self._service.metadata.transact(set_offset)
        self._session = replace(self._session, offset=self.offset, stored=stored, hash=state)
        return self.offset

    def commit(self, digest: Digest, caller: Caller) -> Accepted:
        """The bytes so far are this blob, and the repository serves it from the moment this returns.

        What is to be told of soft limits. A wrong digest costs this request's bytes, not the session.
        Raises: DigestInvalid, UploadTakenOver, UploadUnknown, StorageFull; QuotaExceeded, which ends the session.
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
                with self._ending_when_refused():
                    return self._service.metadata.transact(lambda tx: self._finish(tx, digest, content, caller))
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

    def _reserve_more(self, least: int) -> int | None:
        session, expiry = self._session, self._service.expiry

        def reserve_if_mine(tx: Transaction) -> int | None:
            # As far as before: but bytes come, and so it has not expired.
            if not tx.uploads.acknowledge(session, session.offset, session.stored, session.hash, tx.now + expiry):
                raise UploadTakenOver(upload=session.uuid)
            return reserve_more(tx, session, least)

        with self._ending_when_refused():
            return self._service.metadata.transact(reserve_if_mine)

    def _finish(self, tx: Transaction, digest: Digest, content: bytes | None, caller: Caller) -> Accepted:
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
        link_pushed(tx, session.repository.name, digest, self.offset, caller, self._service.lease)
        return Accepted(tx.notices)

    @contextmanager
    def _ending_when_refused(self) -> Iterator[None]:
        try:
            yield
        except QuotaExceeded:
            _end(self._service, self._session)
            raise

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
