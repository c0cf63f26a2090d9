"""Bytes of a connection to somebody else on their way into a socket, without passing through this process.

    source -- splice, when it is readable --> pipe -- splice, when that is writable --> socket

At most a `SLICE` per event is fair to the other connections. A reader that has stalled leaves the pipe full, and
nothing is taken from the source meanwhile: it costs descriptors, no memory of ours and no thread.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from contextlib import suppress
from typing import Final

from registry.server.sendfile import SLICE, is_peer_gone

_PIPE: Final = 512 * 1024
"""What a pipe may hold; the pages are the sockets' own. What one user's pipes may hold by default is 128 times that."""
_MOVED: Final = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK


class Relay:
    """`count` bytes of a source being sent, or fewer if it ends before; `done` says whether the peer was there.

    The source is a descriptor that does not block. It has ended, too, when it was waited for, and brought nothing, for
    `patience` seconds. `done` fails with what is neither's end. The socket must be ours alone meanwhile, as for a file.
    """

    def __init__(self, sock: socket.socket, source: int, count: int, patience: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._source = source
        self._patience = patience
        self._left = count
        self._held = 0  # in the pipe: taken and not sent
        self._from, self._into = _pipe()
        self._waits_since: float | None = None  # for the source
        self._watches_peer = False
        self._timer: asyncio.TimerHandle | None = None
        self.sent = 0
        self.done: asyncio.Future[bool] = self._loop.create_future()

    @property
    def waits_for_peer(self) -> bool:
        """Whether it is the peer who has to read before anything moves, not the source that has to send."""
        return self._watches_peer

    def start(self) -> None:
        """Send what there is and the socket takes at once; the rest follows as it comes."""
        self._timer = self._loop.call_later(self._patience, self._look)
        self._step()

    def stop(self) -> None:
        """Take and send nothing more; the peer did not take it all. To be called in any case, twice is harmless."""
        self._rest()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._from >= 0:
            os.close(self._from)
            os.close(self._into)
            self._from = self._into = -1
        if not self.done.done():
            self.done.set_result(False)

    def _step(self) -> None:
        if self.done.done():
            return
        try:
            self._advance()
        except OSError as error:
            self._rest()
            if is_peer_gone(error):
                self.done.set_result(False)
            else:
                self.done.set_exception(error)

    def _advance(self) -> None:
        slice_ends = self.sent + SLICE
        while (is_empty := self._pour()) and self.sent < slice_ends and self._fill():
            pass
        if not is_empty:
            self._watch_peer()
        elif self._left:
            self._watch_source()
        else:
            self._end()

    def _pour(self) -> bool:
        """Send what the pipe holds; whether the socket took all of it."""
        try:
            while self._held:
                sent = os.splice(self._from, self._socket.fileno(), self._held, flags=_MOVED)
                self._held -= sent
                self.sent += sent
        except BlockingIOError:
            return False
        return True

    def _fill(self) -> bool:
        """Take what has come from the source into the empty pipe; whether that was anything."""
        if not self._left:
            return False
        try:
            self._held = os.splice(self._source, self._into, self._left, flags=_MOVED)
        except BlockingIOError:
            return False
        except OSError as error:
            if not is_peer_gone(error):
                raise
        # A source that has ended, or is gone, has nothing left.
        self._left = self._left - self._held if self._held else 0
        return self._held > 0

    def _end(self) -> None:
        self._rest()
        self.done.set_result(True)

    def _look(self) -> None:
        """Whether the source was waited for too long; nobody waits for it while the peer does not read."""
        now = self._loop.time()
        since = now if self._waits_since is None else self._waits_since
        if now - since >= self._patience:
            self._end()
        else:
            self._timer = self._loop.call_at(since + self._patience, self._look)

    def _watch_source(self) -> None:
        if self._waits_since is None:
            self._rest()
            self._loop.add_reader(self._source, self._step)
        self._waits_since = self._loop.time()

    def _watch_peer(self) -> None:
        if not self._watches_peer:
            self._rest()
            self._watches_peer = True
            self._loop.add_writer(self._socket.fileno(), self._step)

    def _rest(self) -> None:
        """Wait for neither of them."""
        if self._waits_since is not None:
            self._waits_since = None
            self._loop.remove_reader(self._source)
        if self._watches_peer:
            self._watches_peer = False
            self._loop.remove_writer(self._socket.fileno())


def _pipe() -> tuple[int, int]:
    """Its two ends, to read from and to write into."""
    ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    with suppress(OSError):
        # Where this user has no larger pipes left, a small one does as well, in more steps.
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _PIPE)
    return ends
