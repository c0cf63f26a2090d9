"""Bytes of a file on their way into a socket, without passing through this process.

    head -- MSG_MORE --> socket <-- sendfile, a slice per writable event -- page cache <-- fetch, in a thread -- disk

One slice of at most 1 MiB per event is fair to the other connections; nothing is buffered, so a reader that has stalled
costs a file descriptor and no memory. The event loop does not wait for a disk: a slice that is not in the page cache is
fetched by a thread.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

WHOLE = 64 * 1024
"""Up to here a read and a write are cheaper than the system calls around sendfile."""
SLICE = 1024 * 1024

# Threads that wait for a disk; more of them than a disk has work for would only queue there.
_readers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="read-ahead")
_PEER_IS_GONE = {errno.ENOTCONN, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}


class FileEnded(OSError):
    """A file is shorter than the response that was promised of it."""


def is_peer_gone(error: OSError) -> bool:
    """Whether the socket failed, not the file."""
    return isinstance(error, ConnectionError | TimeoutError) or error.errno in _PEER_IS_GONE


async def read(file: int, offset: int, count: int) -> bytes | bytearray:
    """`count` bytes, from the page cache at once or from the disk in a thread. Raises: FileEnded."""
    buffer = bytearray(count)
    try:
        if os.preadv(file, [buffer], offset, os.RWF_NOWAIT) == count:
            return buffer
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EOPNOTSUPP):
            raise
    data = await asyncio.get_running_loop().run_in_executor(_readers, os.pread, file, count, offset)
    if len(data) != count:
        raise FileEnded(f"file ends at {offset + len(data)}, {offset + count} bytes were promised")
    return data


def _is_cold(file: int, offset: int, count: int) -> bool:
    """Whether sending these bytes would wait for a disk, as far as their first and last page tell."""
    return _is_page_cold(file, offset) or _is_page_cold(file, offset + count - 1)


def _is_page_cold(file: int, offset: int) -> bool:
    try:
        os.preadv(file, [bytearray(1)], offset, os.RWF_NOWAIT)
    except OSError as error:
        # EOPNOTSUPP: a file system that does not say (a network's, for one) may take its time.
        if error.errno not in (errno.EAGAIN, errno.EOPNOTSUPP):
            raise
        return True
    return False


def _fetch(file: int, offset: int, count: int) -> None:
    """Bring the bytes into the page cache. Into /dev/null, the kernel fetches pages without copying them anywhere."""
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.sendfile(sink, file, offset, count)
    finally:
        os.close(sink)


class FileSend:
    """One stretch of a file, and the head before it, being sent; `done` says whether the peer was there to take it.

    `done` fails with what the file raises, FileEnded included. The socket must be ours alone while this runs: the
    transport's own buffer is empty, and nobody writes to it.
    """

    def __init__(self, sock: socket.socket, head: bytes, file: int, offset: int, count: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._head = head
        self._file = file
        self._begin = offset
        self._end = offset + count
        self._watching = False
        self._offset = offset
        self._warm = offset  # up to here, the file was in the page cache when it was looked at
        self.done: asyncio.Future[bool] = self._loop.create_future()

    @property
    def sent(self) -> int:
        """How many bytes of the file have left."""
        return self._offset - self._begin

    @property
    def waits_for_peer(self) -> bool:
        """Whether it is the peer who has to read before anything moves."""
        return True

    def start(self) -> None:
        """Send what the socket takes at once; the rest follows as it becomes writable."""
        self._step()

    def stop(self) -> None:
        """Send nothing more; the peer did not take it all. Harmless when done."""
        self._unwatch()
        if not self.done.done():
            self.done.set_result(False)

    def _step(self) -> None:
        self._attempt(self._advance)

    def _attempt(self, act: Callable[[], None]) -> None:
        if self.done.done():
            return
        try:
            act()
        except BlockingIOError:
            self._watch()
        except OSError as error:
            self._fail(error)

    def _advance(self) -> None:
        if self._head:
            self._head = self._head[self._socket.send(self._head, socket.MSG_MORE) :]
        if self._head:
            self._watch()
        elif self._offset < self._warm:
            self._send_slice()
        elif _is_cold(self._file, self._offset, self._next()):
            self._read_ahead()
        else:
            self._send_next()

    def _next(self) -> int:
        return min(SLICE, self._end - self._offset)

    def _send_next(self) -> None:
        self._warm = self._offset + self._next()
        self._send_slice()

    def _send_slice(self) -> None:
        sent = os.sendfile(self._socket.fileno(), self._file, self._offset, self._warm - self._offset)
        if not sent:
            raise FileEnded(f"file ends at {self._offset}, {self._end} bytes were promised")
        self._offset += sent
        if self._offset < self._end:
            self._watch()
        else:
            self._unwatch()
            self.done.set_result(True)

    def _read_ahead(self) -> None:
        self._unwatch()
        # If the task is cancelled meanwhile, the file may be closed and its number be another's: it is only read.
        fetching = self._loop.run_in_executor(_readers, _fetch, self._file, self._offset, self._next())
        fetching.add_done_callback(self._fetched)

    def _fetched(self, fetching: asyncio.Future[None]) -> None:
        error = None if fetching.cancelled() else fetching.exception()
        if isinstance(error, OSError):
            self._attempt(partial(self._fail, error))
        else:
            # The pages are here now. Asking again whether they are would never end where a file system cannot tell.
            self._attempt(self._send_next)

    def _fail(self, error: OSError) -> None:
        self._unwatch()
        if is_peer_gone(error):
            self.done.set_result(False)
        else:
            self.done.set_exception(error)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._loop.add_writer(self._socket.fileno(), self._step)

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            self._loop.remove_writer(self._socket.fileno())
