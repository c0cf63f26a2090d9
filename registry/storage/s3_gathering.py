"""The bytes of a part until there are enough of them: in memory while all uploads together have few, else in a file.

To wait for memory instead would let a few slow clients keep all others waiting. The file has no name and is gone with
whoever wrote it, and what is in it nobody was promised.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from registry.oci.errors import Unavailable


class Allowance:
    """Bytes of memory for all that gathers in one process, and a folder for the rest."""

    def __init__(self, most: int, folder: Path | None = None) -> None:
        """Without `folder` it is where the system has its temporary files, which may be memory as well."""
        self.folder = folder
        self._free = most
        self._lock = Lock()

    def take(self, size: int) -> bool:
        """Whether there is room for so much more; then it is taken."""
        with self._lock:
            if self._free < size:
                return False
            self._free -= size
            return True

    def give_back(self, size: int) -> None:
        """Others may have it."""
        with self._lock:
            self._free += size


class Gathering:
    """One upload's. Not safe for more than one thread at a time."""

    def __init__(self, allowance: Allowance, first: bytes = b"") -> None:
        self._allowance = allowance
        self._pieces: list[bytes] = []
        self._file: BinaryIO | None = None
        self.size = 0
        self.add(first)

    def __del__(self) -> None:
        # Of a request that was cancelled at the wrong moment nobody else would.
        self.clear()

    def add(self, piece: bytes) -> None:
        """Behind what is there. Raises: Unavailable, when there is no room on the disk either."""
        if self._file is None and self._allowance.take(len(piece)):
            self._pieces.append(piece)
        else:
            with _room_on_the_disk():
                _write_all(self._spilled(), piece)
        self.size += len(piece)

    def content(self) -> bytes:
        """All of it, in memory."""
        if self._file is None:
            return b"".join(self._pieces)
        with _room_on_the_disk():
            self._file.seek(0)
            return self._file.read(self.size)

    def take(self) -> bytes:
        """All of it, which is then no longer here."""
        content = self.content()
        self.clear()
        return content

    def replace(self, content: bytes) -> None:
        """Hold this instead."""
        self.clear()
        self.add(content)

    def clear(self) -> None:
        """Hold nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None
        else:
            self._allowance.give_back(self.size)
        self._pieces.clear()
        self.size = 0

    def _spilled(self) -> BinaryIO:
        if self._file is None:
            # Unbuffered: what waits in a buffer would be memory again.
            file = tempfile.TemporaryFile(buffering=0, dir=self._allowance.folder)  # noqa: SIM115  closed by `clear`
            _write_all(file, self.content())
            size = self.size
            self.clear()
            self._file, self.size = file, size
        return self._file


def _write_all(file: BinaryIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


@contextmanager
def _room_on_the_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable from error
