"""One request's writing to one object of a bucket: parts on their way up while the next bytes arrive.

append   gather; whenever a part is full: room in the lane, still mine?, send      the bytes wait in s3_gathering
sync     5 MiB or more are a part, fewer a tail object; wait for all               the state names what is there
cut      name fewer parts; what they take is given back with the upload            nothing is deleted
seal     the last part, abort the key's other uploads, complete                    the key has an object from now on

No lock is held over requests, so each step is safe against an earlier request that still runs, or whose calls the
network still carries:

- Its parts never stand where ours do. Part numbers go on above all that were listed after we took over, and the first
  one of a request (and of each state that others may go on from) is a claim: a byte that is never named. It has landed
  before `still_mine` is asked for the first real part. So whoever sent parts above the state that we were given has a
  claim listed above it too, or has been told no. Without one listed there is nobody; with one, at most MOST_IN_FLIGHT
  parts are still to land above the highest listed, and our claim goes beyond those.
- It never replaces our object. It can complete only uploads begun before we took over, each of which we have aborted
  before we complete our own; a single PUT is made only where the store refuses to replace what is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectLost
from registry.oci.errors import Unavailable
from registry.storage.layout import new_tail, tails_of
from registry.storage.s3_bucket import Bucket
from registry.storage.s3_client import LEAST_PART, AlreadyThere
from registry.storage.s3_gathering import Gathering
from registry.storage.s3_multipart import Lane, Multipart, Part, State, part_size


@dataclass(frozen=True, slots=True)
class Shared:
    """What all receivers of a store share."""

    bucket: Bucket
    lane: Lane
    part_size: int
    keeps_first: Callable[[], bool]
    """Whether the store can be told not to replace an object."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a receiver goes on: the state that was acknowledged, its tail's bytes, and the next part's number."""

    state: State
    tail: bytes
    number: int = 1
    is_sealed: bool = False


class S3Receiver:
    """See the head of the module."""

    def __init__(self, shared: Shared, key: ObjectKey, start: Start, still_mine: Callable[[], bool]) -> None:
        self._shared = shared
        self._key = key
        self._multipart = Multipart(shared.bucket, key.text)
        self._still_mine = still_mine
        # States that were acknowledged or may have been, to which one can be cut; the last is the latest.
        self._states = [start.state]
        self._upload = start.state.upload
        self._landed = list(start.state.parts)
        self._flying: list[Future[Part]] = []
        self._sent = sum(part.size for part in start.state.parts)
        self._buffer = Gathering(shared.lane.allowance, start.tail)
        self._number = start.number
        # Nobody else knows of an upload that is yet to begin.
        self._is_claimed = start.state.upload is None
        self._is_sealed = start.is_sealed
        self._is_broken = False
        self._has_tails = start.state.tail is not None
        # A request may be cancelled while a thread still works for it.
        self._turn = threading.RLock()

    @property
    def leftovers(self) -> ObjectKey | None:
        """See the port: the tails, but the last of which were replaced by later ones."""
        return tails_of(self._key) if self._has_tails else None

    def append(self, chunks: Sequence[bytes]) -> bool:
        """See the port; an earlier part's failure shows here too. Raises: ObjectLost, StorageFull, Unavailable."""
        with self._unbroken():
            self._collect(is_waiting=False)
            has_asked = False
            for chunk in chunks:
                self._refuse_sealed(chunk)
                rest = memoryview(chunk)
                while rest:
                    room = max(0, part_size(self._number, self._shared.part_size) - self._buffer.size)
                    # Mostly all of it fits, and need not be copied.
                    self._buffer.add(chunk if len(chunk) == len(rest) <= room else bytes(rest[:room]))
                    rest = rest[room:]
                    if self._buffer.size >= part_size(self._number, self._shared.part_size):
                        has_asked = True
                        if not self._send():
                            return False
            return has_asked or self._still_mine()

    def sync(self) -> str:
        """See the port; changes nothing when it is not ours. Raises: ObjectLost, StorageFull, Unavailable."""
        with self._unbroken():
            last = self._states[-1]
            if self._is_sealed or last.offset == self._size or not self._still_mine():
                return str(last)
            if self._buffer.size >= LEAST_PART and not self._send():
                return str(last)
            self._collect(is_waiting=True)
            state = State(self._upload, tuple(self._landed), self._put_tail())
            self._states.append(state)
            # From here others may go on too, where the state ends.
            self._is_claimed = False
            return str(state)

    def cut(self, offset: int) -> bool:
        """See the port; what failed before is forgotten. Raises: ObjectLost, Unavailable."""
        with self._turn:
            if self._is_sealed or not self._still_mine():
                return False
            if offset < self._size or self._is_broken:
                self._cut(offset)
                self._is_broken = False
            return True

    def content(self) -> bytes | None:
        """See the port: small enough never to have left."""
        with self._unbroken():
            if not self._still_mine():
                return None
            if self._sent:
                raise ValueError(f"{self._key} is too large to be had at once")
            return self._buffer.content()

    def seal(self) -> bool:
        """See the port. Raises: ObjectLost, StorageFull, Unavailable."""
        with self._unbroken():
            if not self._still_mine():
                return False
            if not self._is_sealed:
                is_small = not self._sent and self._shared.keeps_first()
                self._is_sealed = self._put_whole() if is_small else self._complete()
            return self._is_sealed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Parts on their way arrive or not: nobody names them."""
        with self._turn:
            self._is_broken = True
            self._buffer.clear()

    @property
    def _size(self) -> int:
        return self._sent + self._buffer.size

    @contextmanager
    def _unbroken(self) -> Iterator[None]:
        """Where a step failed, the bytes may be there by halves: nothing but a cut comes after it."""
        with self._turn:
            if self._is_broken:
                raise Unavailable
            self._is_broken = True
            yield
            self._is_broken = False

    def _refuse_sealed(self, chunk: bytes) -> None:
        if self._is_sealed and chunk:
            raise ObjectLost(str(self._key))

    def _send(self) -> bool:
        """The buffer as one part, as soon as there is room; False when it is not ours."""
        size = self._buffer.size
        flight = self._shared.lane.submit(size, self._depart)
        if flight is None:
            return False
        self._flying.append(flight)
        self._sent += size
        return True

    def _depart(self) -> Callable[[], Part] | None:
        """What is to be done for the part; None when it is not ours, which is asked last of all."""
        if self._upload is None:
            self._upload = self._multipart.begin()
        if not self._is_claimed:
            if not self._still_mine():
                return None
            self._multipart.send(self._upload, self._number, b"-")
            self._number += 1
            self._is_claimed = True
        if not self._still_mine():
            return None
        upload, number, body = self._upload, self._number, self._buffer.take()
        self._number += 1
        return lambda: self._multipart.send(upload, number, body)

    def _collect(self, *, is_waiting: bool) -> None:
        """Note what has landed, in order. Raises: what a part's failure was, each time until it is cut off."""
        while self._flying and (is_waiting or self._flying[0].done()):
            self._landed.append(self._flying[0].result())
            del self._flying[0]

    def _put_tail(self) -> tuple[str, int] | None:
        if not self._buffer.size:
            return None
        # Never the same name twice: a late writer's tail is another's.
        name = new_tail(self._key)
        self._has_tails = True
        self._shared.bucket.put(name, self._buffer.content())
        return name, self._buffer.size

    def _cut(self, offset: int) -> None:
        while self._states and self._states[-1].offset > offset:
            self._states.pop()
        if not self._states:
            # Before the state that we were given there is nothing but the beginning.
            self._states.append(State(self._upload))
        state = self._states[-1]
        if offset != state.offset:
            self._cut_buffer(offset)
            return
        is_kept = not self._flying and len(self._landed) == len(state.parts)
        tail = self._buffer.content()[: state.tail[1]] if state.tail and is_kept else b""
        if state.tail and len(tail) < state.tail[1]:
            tail = self._shared.bucket.get(state.tail[0])
        self._flying.clear()
        self._landed = list(state.parts)
        self._sent = sum(part.size for part in state.parts)
        self._buffer.replace(tail)

    def _cut_buffer(self, offset: int) -> None:
        if self._is_broken or offset < self._sent:
            raise ValueError(f"{self._key} was not acknowledged at {offset}")
        self._buffer.replace(self._buffer.content()[: offset - self._sent])

    def _complete(self) -> bool:
        if (self._buffer.size or not self._sent) and not self._send():
            return False
        self._collect(is_waiting=True)
        upload = self._upload
        if upload is None or not self._still_mine():
            return False
        self._multipart.abort_all(but=upload)
        self._multipart.complete(upload, self._landed)
        return True

    def _put_whole(self) -> bool:
        self._multipart.abort_all()
        content = self._buffer.content()
        try:
            self._shared.bucket.put(self._key.text, content, is_new=True)
        except AlreadyThere:
            # An attempt of ours whose answer was lost, or of an earlier request with the same bytes; or with others,
            # and then nobody may say any more whose object it is.
            if self._shared.bucket.get(self._key.text) != content:
                raise ObjectLost(str(self._key)) from None
        self._multipart.check(len(content))
        return True
