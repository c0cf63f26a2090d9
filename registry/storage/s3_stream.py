"""Reading an object: one GET for as long as the connection lasts, then another from the byte reached."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any, Final, cast

from registry.core.lending import Loan
from registry.core.ports import ObjectLost
from registry.oci.errors import Unavailable
from registry.storage.s3_bucket import Bucket
from registry.storage.s3_client import MIB, RAW_BODY, BeyondEnd

_MOST_CUTS: Final = 4
"""Connections in a row that brought nothing."""
_FIRST: Final = 64 * 1024
"""More than is ever buffered in front of a connection."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Bounds how many read at once: each keeps a connection for as long as its client takes."""

    bucket: Bucket
    places: BoundedSemaphore
    patience: float

    def open(self, key: str, start: int) -> S3Stream:
        """A stream from `start`. Raises: ObjectLost, Unavailable also when too many others read."""
        self._enter()
        stream = S3Stream(self.bucket, key, start, self.places.release)
        try:
            stream.begin()
        except BaseException:
            stream.close()
            raise
        return stream

    def part(self, key: str, start: int, length: int) -> bytes:
        """Bytes from `start`, fewer at the object's end. Raises: ObjectLost, Unavailable."""
        self._enter()
        with S3Stream(self.bucket, key, start, self.places.release, start + length) as stream:
            return stream.read()

    def _enter(self) -> None:
        if not self.places.acquire(timeout=self.patience):
            raise Unavailable


class S3Stream(io.RawIOBase):
    """The bytes of one object up to `end`; a cut connection is only a pause."""

    def __init__(self, bucket: Bucket, key: str, start: int, leave: Callable[[], None], end: int | None = None) -> None:
        super().__init__()
        self._bucket = bucket
        self._key = key
        self._at = start
        self._leave: Callable[[], None] | None = leave
        self._wanted = end
        self._end: int | None = None
        self._body: Any = None

    def begin(self) -> None:
        """Have the first bytes sent. Raises: ObjectLost."""
        wanted = "" if self._wanted is None else str(self._wanted - 1)
        # An empty object has no range that could be asked for.
        asked = {"Range": f"bytes={self._at}-{wanted}"} if self._at or self._wanted is not None else {}
        try:
            answer = self._bucket.call_at_once("get_object", self._key, **asked)
        except BeyondEnd:
            if self._end is not None:
                # It had bytes here when we began.
                raise ObjectLost(self._key) from None
            self._end = self._at
            return
        self._body = answer[RAW_BODY]
        if asked and "ContentRange" not in answer:
            raise Unavailable from OSError("the store sends the whole object for a part of it")
        end = self._at + int(answer["ContentLength"])
        if self._end not in {None, end}:
            raise ObjectLost(self._key)
        self._end = end

    def read(self, size: int | None = -1) -> bytes:
        """As many bytes as asked for, fewer only at the end. Raises: ObjectLost, Unavailable."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(MIB), b""))
        pieces = []
        while size and (piece := self._piece(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def lend(self) -> Loan | None:
        """See `Lender`; only a connection without TLS can be. Raises: ObjectLost, Unavailable."""
        if self._body is None and self._end != self._at:
            self.begin()
        if not _is_lendable(self._body):
            return None
        first = self._piece(_FIRST, at_once=True)
        left = cast("int", self._end) - self._at
        return Loan(first, self._body.fileno() if left else -1, left, self._bucket.patience)

    def take_back(self, taken: int) -> None:
        """See `Lender`. The connection is not used again, because the library did not see what came there."""
        self._at += taken
        self._hang_up()

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - whatever can be written to
        """See `io.RawIOBase`."""
        view = memoryview(buffer).cast("B")
        piece = self.read(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Anywhere but relative to the end, which another GET would be needed to find."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end of an object is not known before it is read")
        target = max(0, offset + (self._at if whence == io.SEEK_CUR else 0))
        if target != self._at:
            self._hang_up()
            self._at, self._end = target, None
        return target

    def close(self) -> None:
        """Twice is no error; the last reference to go does it too."""
        if not self.closed:
            super().close()
            self._hang_up()
            if self._leave is not None:
                leave, self._leave = self._leave, None
                leave()

    def _piece(self, size: int, *, at_once: bool = False) -> bytes:
        """Some bytes, none at the end only; `at_once` what is buffered, or what one look at the connection brings."""
        trouble: Exception | None = None
        for _ in range(_MOST_CUTS):
            if self._body is None and self._end != self._at:
                self.begin()
            if self._at == self._end:
                return b""
            try:
                read = self._body.read1 if at_once else self._body.read
                piece = cast("bytes", read(min(size, cast("int", self._end) - self._at)))
            except Exception as error:  # the library's, the pool's below it and the socket's: all mean the same
                trouble, piece = error, b""
            if piece:
                self._at += len(piece)
                return piece
            self._hang_up()
        raise Unavailable from trouble

    def _hang_up(self) -> None:
        """What is still on its way on this connection is not waited for."""
        body, self._body = self._body, None
        if body is not None:
            body.close()


def _is_lendable(body: Any) -> bool:  # noqa: ANN401 - the library's
    """Whether the bytes of a body lie on its socket as they are, and reading them there never blocks."""
    sock = getattr(body.connection, "sock", None) if body is not None else None
    # One for TLS is of another type.
    return type(sock) is socket.socket and not os.get_blocking(sock.fileno())
