"""Objects in this process's memory: for tests, and wherever a registry may forget everything."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Lock
from types import TracebackType
from typing import BinaryIO, Final, Self

from registry.core.facts import ObjectKey
from registry.core.fsck_facts import Held, HeldKind
from registry.core.ports import ObjectLost
from registry.storage.layout import object_path

_PAGE: Final = 1000


class _Object:
    def __init__(self) -> None:
        self.content = bytearray()
        self.changed = datetime.now(UTC)
        self.lock = Lock()


class MemoryStore:
    """The filesystem's promises, less those about power cuts."""

    is_prompt: Final = True
    least_chunk: Final = 0

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}

    def receive(
        self, key: ObjectKey, offset: int, _state: str, still_mine: Callable[[], bool]
    ) -> MemoryReceiver | None:
        """See the port. Raises: ObjectLost."""
        path = object_path(key)
        # An object that is not there has no bytes: too few of them, but for the one that begins here.
        found = self._objects.get(path, _Object()) if offset else self._objects.setdefault(path, _Object())
        with found.lock:
            if not still_mine():
                return None
            if len(found.content) < offset:
                raise ObjectLost(str(key))
            del found.content[offset:]
        return MemoryReceiver(key, found, still_mine, lambda: self._objects.get(path) is found)

    def size(self, key: ObjectKey) -> int | None:
        """See the port."""
        found = self._objects.get(object_path(key))
        return None if found is None else len(found.content)

    def open(self, key: ObjectKey, start: int = 0) -> BinaryIO:
        """See the port. Raises: ObjectLost."""
        return io.BytesIO(self._get(key).content[start:])

    def url(self, _: ObjectKey) -> None:
        """See the port: there is no other way to them."""

    def pread(self, key: ObjectKey, start: int, length: int) -> bytes:
        """See the port. Raises: ObjectLost."""
        return bytes(self._get(key).content[start : start + length])

    def delete(self, keys: Iterable[ObjectKey]) -> None:
        """See the port."""
        for path in [object_path(key) for key in keys]:
            self._objects.pop(path, None)

    # `StoreInventory`

    def pages(self) -> Iterator[Sequence[Held]]:
        """See the port."""
        found = iter(list(self._objects.items()))
        while page := [_held(*each) for each in itertools.islice(found, _PAGE)]:
            yield page

    def holds(self, held: Held) -> bool:
        """See the port."""
        return held.name in self._objects

    def is_needed(self, held: Held, stored: str) -> bool:
        """See the port: here a session has its object and nothing else."""
        del held, stored
        return True

    def keep(self, key: ObjectKey) -> None:
        """See the port: there is no power cut to survive. Raises: ObjectLost."""
        self._get(key)

    def abort(self, held: Held) -> None:
        """See the port: there are no multipart uploads."""

    def _get(self, key: ObjectKey) -> _Object:
        found = self._objects.get(object_path(key))
        if found is None:
            raise ObjectLost(str(key))
        return found


def _held(path: str, found: _Object) -> Held:
    key = ObjectKey(path)
    return Held(HeldKind.OBJECT, path, len(found.content), found.changed, key, key)


class MemoryReceiver:
    """One request's writing to one object."""

    leftovers: Final = None

    def __init__(
        self, key: ObjectKey, target: _Object, still_mine: Callable[[], bool], is_there: Callable[[], bool]
    ) -> None:
        self._key = key
        self._target = target
        self._still_mine = still_mine
        self._is_there = is_there
        self._size = len(target.content)

    def append(self, chunks: Sequence[bytes]) -> bool:
        """See the port."""
        with self._target.lock:
            is_mine = self._still_mine()
            if is_mine:
                self._target.content += b"".join(chunks)
                self._target.changed = datetime.now(UTC)
                self._size = len(self._target.content)
            return is_mine

    def sync(self) -> str:
        """Memory survives no power cut, and promises none."""
        return ""

    def cut(self, offset: int) -> bool:
        """See the port."""
        with self._target.lock:
            is_mine = self._still_mine()
            if is_mine:
                del self._target.content[offset:]
                self._size = len(self._target.content)
            return is_mine

    def content(self) -> bytes | None:
        """See the port. Raises: ObjectLost."""
        return bytes(self._target.content) if self.seal() else None

    def seal(self) -> bool:
        """See the port. Raises: ObjectLost."""
        with self._target.lock:
            is_mine = self._still_mine()
            if is_mine and (not self._is_there() or len(self._target.content) != self._size):
                raise ObjectLost(str(self._key))
            return is_mine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""
