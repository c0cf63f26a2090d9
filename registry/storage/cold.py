"""Reading a store from end to end, from its medium, without pushing out of memory what others read.

The page cache keeps what was read last. Who reads everything once would fill it with what nobody asks for; so each
piece is given up behind us, unless it was there before. Nothing is read ahead, or it would look as if it was.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, cast

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectLost, ObjectStore, Unreadable

# What a dying disk says, and what file systems that check what they read say of it.
_MEDIUM: Final = {errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.ENODATA, errno.EILSEQ, errno.EREMOTEIO}


class ColdReads:
    """A store as `Medium`; another store than one of files is passed through."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def size(self, key: ObjectKey) -> int | None:
        """See the port. Raises: Unreadable."""
        with _naming(key):
            return self._store.size(key)

    def open(self, key: ObjectKey, start: int = 0) -> BinaryIO:
        """See the port. Raises: ObjectLost, Unreadable, also while it is read."""
        with _naming(key):
            stream = self._store.open(key, start)
        return cast("BinaryIO", _ColdFile(key, stream, start)) if _is_file(stream) else stream

    def forget(self, key: ObjectKey) -> None:
        """See the port."""
        try:
            with _naming(key), self._store.open(key) as stream:
                if _is_file(stream):
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        except ObjectLost:
            # There is nothing to forget.
            return


class _ColdFile(io.RawIOBase):
    """A file that is read once, in pieces as they are asked for."""

    def __init__(self, key: ObjectKey, file: BinaryIO, start: int) -> None:
        super().__init__()
        self._key = key
        self._file = file
        self._at = start
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)

    def read(self, size: int | None = -1) -> bytes:
        """At most `size` bytes, none at the end. Raises: Unreadable."""
        wanted = io.DEFAULT_BUFFER_SIZE if size is None or size < 0 else size
        descriptor, start = self._file.fileno(), self._at
        with _naming(self._key):
            was_there = _is_in_memory(descriptor, start)
            data = os.pread(descriptor, wanted, start)
        if data and not was_there:
            os.posix_fadvise(descriptor, start, len(data), os.POSIX_FADV_DONTNEED)
        self._at += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - whatever can be written to
        """See `io.RawIOBase`."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """With the file; twice is no error."""
        self._file.close()
        super().close()


def _is_file(stream: BinaryIO) -> bool:
    return isinstance(stream, io.BufferedReader)


def _is_in_memory(descriptor: int, at: int) -> bool:
    """Whether that byte can be had without the medium; what a file system does not say is taken for absent."""
    try:
        return os.preadv(descriptor, [bytearray(1)], at, os.RWF_NOWAIT) == 1
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.EOPNOTSUPP}:
            return False
        raise


@contextmanager
def _naming(key: ObjectKey) -> Iterator[None]:
    """What the medium does not give is the object's affair, and not that of the store. Raises: Unreadable."""
    try:
        yield
    except OSError as error:
        if error.errno in _MEDIUM:
            raise Unreadable(str(key)) from error
        raise
