"""What a process may keep in memory for a short while: bounded in number, bounded in time, never extended by use."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """Values under keys that tell nothing; the least recently used leaves first. Instants are seconds of one clock."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a memory of {size} entries holds nothing")
        self._size = size
        self._entries: OrderedDict[bytes, tuple[Value, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: bytes, now: float) -> Value | None:
        """The value of `key`, unless its time has come."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            value, until = entry
            if now >= until:
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
            return value

    def put(self, key: bytes, value: Value, until: float) -> None:
        """Keep `value` before the instant `until`, at the cost of the entry unused for longest."""
        with self._lock:
            self._entries[key] = value, until
            self._entries.move_to_end(key)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
