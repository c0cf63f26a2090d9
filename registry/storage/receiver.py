"""One request's writing to one file: alone, all of it or none, and never again after a failure."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectLost
from registry.oci.errors import StorageFull
from registry.storage.writeback import BATCH, begin_writeback

# A full disk, a full quota, and a file beyond what the file system or the process's limits allow.
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# The kernel takes no more buffers than this in one call.
_MOST_BUFFERS: Final = os.sysconf("SC_IOV_MAX")


class FileReceiver:
    """One request's writing to one file, by a descriptor of its own: locks are between descriptors, not processes."""

    leftovers: Final = None

    def __init__(
        self, key: ObjectKey, descriptor: int, still_mine: Callable[[], bool], settle: Callable[[], None] | None
    ) -> None:
        """`settle` makes the file's place durable; None when that was done."""
        self._key = key
        self._descriptor = descriptor
        self._still_mine = still_mine
        self._settle = settle
        self._is_broken = False
        self._position = 0
        self._begun = 0
        # A request may be cancelled while a thread still writes for it: to close the descriptor under it would let the
        # rest be written to whatever file is opened next.
        self._turn = threading.RLock()

    def __del__(self) -> None:
        # Of a request that was cancelled at the wrong moment nobody else would.
        self.close()

    def take_over(self, offset: int) -> bool:
        """Wait for an earlier receiver's write to end, and cut; False when it is not ours. Raises: ObjectLost."""
        with self._alone() as is_mine:
            if is_mine:
                facts = os.fstat(self._descriptor)
                # Deleted while we waited, or shorter than what was acknowledged.
                if facts.st_nlink == 0 or facts.st_size < offset:
                    raise ObjectLost(str(self._key))
                self._cut(facts.st_size, offset)
                self._position = self._begun = offset
            return is_mine

    def append(self, chunks: Sequence[bytes]) -> bool:
        """See the port. Raises: StorageFull."""
        self._refuse_broken()
        with self._alone() as is_mine:
            if is_mine:
                self._write_behind(chunks)
            return is_mine

    def sync(self) -> str:
        """See the port. A second attempt would succeed without the bytes, so a failed one ends this receiver."""
        with self._turn:
            self._sync()
        return ""

    def content(self) -> bytes | None:
        """See the port. Raises: ObjectLost."""
        with self._alone() as is_mine:
            return os.pread(self._descriptor, self._whole(), 0) if is_mine else None

    def seal(self) -> bool:
        """See the port: nothing has to be done to a file but to sync it. Raises: ObjectLost, StorageFull."""
        with self._alone() as is_mine:
            if is_mine:
                self._whole()
        if is_mine:
            # Not under the lock: who takes over meanwhile need not wait for the disk.
            with self._turn:
                self._sync()
        return is_mine

    def _whole(self) -> int:
        """The file's size, which is what was appended. Raises: ObjectLost."""
        self._refuse_broken()
        facts = os.fstat(self._descriptor)
        if facts.st_nlink == 0 or facts.st_size != self._position:
            raise ObjectLost(str(self._key))
        return self._position

    def _sync(self) -> None:
        self._refuse_broken()
        # Broken until proven otherwise, whatever stops us on the way.
        self._is_broken = True
        with making_room():
            os.fdatasync(self._descriptor)
            if self._settle is not None:
                self._settle()
        self._settle = None
        self._is_broken = False

    def cut(self, offset: int) -> bool:
        """See the port; never makes the file longer."""
        with self._alone() as is_mine:
            if is_mine:
                self._cut(os.fstat(self._descriptor).st_size, offset)
                self._position = min(self._position, offset)
                self._begun = min(self._begun, offset)
            return is_mine

    def close(self) -> None:
        """Twice is no error."""
        with self._turn:
            self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            # The number may mean another file the moment it is closed.
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _cut(self, size: int, offset: int) -> None:
        # To truncate costs a journal entry even where nothing changes.
        if size > offset:
            os.ftruncate(self._descriptor, offset)

    def _write_behind(self, chunks: Sequence[bytes]) -> None:
        """At our own position, whatever has become of the file meanwhile. Raises: ObjectLost, StorageFull."""
        size = os.fstat(self._descriptor).st_size
        if size < self._position:
            raise ObjectLost(str(self._key))
        self._cut(size, self._position)
        self._write(chunks, self._position)
        self._position += sum(map(len, chunks))
        if self._position - self._begun >= BATCH:
            begin_writeback(self._descriptor, self._begun, self._position)
            self._begun = self._position

    def _write(self, chunks: Sequence[bytes], end: int) -> None:
        self._is_broken = True
        try:
            with making_room():
                _write_all(self._descriptor, chunks, end)
        except BaseException as error:
            # No append begins behind half of another one.
            os.ftruncate(self._descriptor, end)
            self._is_broken = not isinstance(error, StorageFull)
            raise
        self._is_broken = False

    def _refuse_broken(self) -> None:
        if self._is_broken or self._descriptor < 0:
            raise OSError(errno.EIO, "an earlier write or sync failed", str(self._key))

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """No other receiver of this object, in whatever process, is in here; whether it is ours to change.

        A killed process leaves by dying: the kernel takes its locks back.
        """
        with self._turn:
            if self._descriptor < 0:
                raise OSError(errno.EBADF, "the receiver is closed", str(self._key))
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                yield self._still_mine()
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)


@contextmanager
def making_room() -> Iterator[None]:
    """Name the want of room; whatever else the kernel says passes."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from error
        raise


def _write_all(descriptor: int, chunks: Sequence[bytes], position: int) -> None:
    """Write every byte, however few the kernel takes at a time."""
    for first in range(0, len(chunks), _MOST_BUFFERS):
        rest: list[bytes | memoryview] = [chunk for chunk in chunks[first : first + _MOST_BUFFERS] if chunk]
        while rest:
            written = os.pwritev(descriptor, rest, position)
            if not written:
                raise OSError(errno.EIO, "the kernel took no bytes")
            position += written
            rest = _behind(rest, written)


def _behind(chunks: Sequence[bytes | memoryview], written: int) -> list[bytes | memoryview]:
    """What is left of the chunks after their first `written` bytes; nothing is copied."""
    for number, chunk in enumerate(chunks):
        if written < len(chunk):
            return [memoryview(chunk)[written:], *chunks[number + 1 :]]
        written -= len(chunk)
    return []
