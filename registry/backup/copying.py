"""Objects from one place to another: several at a time, and none whole under its name unless its bytes are right."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Final

from registry.backup.report import Broken, Copied
from registry.core.ports import ObjectLost
from registry.metadata.kept_facts import KeptObject

CHUNK: Final = 1 << 20
_AHEAD: Final = 4
"""Objects for each thread that are taken up before the first has come: enough that none waits."""


class Stopped(Exception):
    """Another object's copying failed, or somebody wants an end: this one is not gone on with."""


class Damaged(Exception):
    """The bytes of an object are not what its digest names, or cannot be had."""


class Crew:
    """So many threads, each at one object."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._stopping = threading.Event()

    def each(
        self, copy: Callable[[KeptObject], bool], objects: Iterable[KeptObject], check: Callable[[], None]
    ) -> Iterator[Copied]:
        """What became of each, in order; `copy` tells whether the object is new. `check` may raise to end it all."""
        pool = ThreadPoolExecutor(self._threads, "objects")
        waiting: deque[Future[Copied]] = deque()
        try:
            for kept in objects:
                check()
                waiting.append(pool.submit(self._copied, copy, kept))
                if len(waiting) >= self._threads * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                check()
                yield waiting.popleft().result()
        finally:
            self._stopping.set()
            pool.shutdown(cancel_futures=True)

    def verified(self, stream: BinaryIO, kept: KeptObject) -> Iterator[bytes]:
        """Its bytes. The last of them come only once all are known to be right. Raises: Damaged, Stopped."""
        sum_of, size, last = hashlib.new(kept.digest.algorithm), 0, b""
        while chunk := _read(stream):
            if self._stopping.is_set():
                raise Stopped
            if last:
                yield last
            sum_of.update(chunk)
            size += len(chunk)
            last = chunk
            if size > kept.size:
                # Not read to its end: what is no object, such as a device, may have none.
                break
        if size != kept.size:
            raise Damaged(f"it has {size} bytes instead of {kept.size}")
        if sum_of.hexdigest() != kept.digest.hex:
            raise Damaged(f"its bytes are {kept.digest.algorithm}:{sum_of.hexdigest()}")
        if last:
            yield last

    def _copied(self, copy: Callable[[KeptObject], bool], kept: KeptObject) -> Copied:
        try:
            return Copied(kept, is_new=copy(kept))
        except Damaged as damage:
            return Copied(kept, broken=Broken(str(kept.digest), str(kept.key), str(damage), kept.is_damaged))


def _read(stream: BinaryIO) -> bytes:
    """Raises: Damaged; Unavailable from a store."""
    try:
        return stream.read(CHUNK)
    except ObjectLost:
        raise Damaged("it is missing") from None
    except OSError as error:
        raise Damaged(f"it cannot be read: {(error.strerror or str(error)).lower()}") from None
