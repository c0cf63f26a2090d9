"""Descriptors kept open for small reads: to open a file costs more than to read a few KiB of it.

A kept descriptor can outlive what it stands for: the file was deleted, replaced by a restore, or cut short from
outside. So each read first looks at the file behind the descriptor, which costs a fraction of opening it.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from threading import Lock
from typing import Final

MOST: Final = 512


class Shrunk(Exception):
    """The file has become shorter since it was first read."""


class _File:
    """An open file, closed with the last reference to it: no thread reads from a number that now means another."""

    __slots__ = ("descriptor", "size")

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)
        self.size = 0

    def __del__(self) -> None:
        # There is none when opening failed.
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


class KeptDescriptors:
    """The `most` files that were read last, by path. Safe to use from any thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = Lock()
        self._files: OrderedDict[str, _File] = OrderedDict()

    def pread(self, path: str, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start`; fewer at the file's end. Raises: Shrunk, FileNotFoundError."""
        file = self._find(path) or self._open(path)
        facts = os.fstat(file.descriptor)
        if facts.st_nlink == 0:
            # Deleted; unless a restore has put another file in its place.
            self.drop(path)
            file = self._open(path)
            facts = os.fstat(file.descriptor)
        if facts.st_size < file.size:
            self.drop(path)
            raise Shrunk(path)
        file.size = facts.st_size
        return os.pread(file.descriptor, length, start)

    def drop(self, path: str) -> None:
        """Keep this file no longer."""
        with self._lock:
            self._files.pop(path, None)

    def drop_deleted(self) -> int:
        """Drop the files that have no name any more, so that the kernel frees their space; how many there were."""
        with self._lock:
            deleted = [path for path, file in self._files.items() if os.fstat(file.descriptor).st_nlink == 0]
            for path in deleted:
                del self._files[path]
        return len(deleted)

    def _find(self, path: str) -> _File | None:
        with self._lock:
            file = self._files.get(path)
            if file is not None:
                self._files.move_to_end(path)
            return file

    def _open(self, path: str) -> _File:
        file = _File(path)
        with self._lock:
            self._files[path] = file
            if len(self._files) > self._most:
                self._files.popitem(last=False)
        return file
