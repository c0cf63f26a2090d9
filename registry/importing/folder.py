"""A tree in a folder of this machine, opened for reading and nothing else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from registry.importing.source import Unreadable
from registry.importing.tree import REPOSITORIES, ROOT

_CHUNK: Final = 1 << 20
# A file that is none, such as a pipe, must not keep us waiting for its other end.
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def find_tree(path: Path) -> Path | None:
    """The `v2` folder, from the root that the registry was configured with or from itself."""
    return next((each for each in (path / ROOT, path) if (each / REPOSITORIES).is_dir()), None)


class FolderFile:
    """`SourceFile`: a regular file, by one descriptor from its first byte to its last."""

    def __init__(self, descriptor: int, facts: os.stat_result) -> None:
        self._descriptor = descriptor
        self._facts = facts

    @property
    def size(self) -> int:
        """When it was opened."""
        return self._facts.st_size

    def fileno(self) -> int:
        """See the port."""
        return self._descriptor

    def chunks(self) -> Iterator[bytes]:
        """See the port. Raises: Unreadable."""
        position = 0
        while chunk := self._read(position):
            yield chunk
            position += len(chunk)
        # Who writes to it now may do so later too: then it must not become ours by a mere link.
        facts = os.fstat(self._descriptor)
        if (position, facts.st_mtime_ns) != (self._facts.st_size, self._facts.st_mtime_ns):
            raise Unreadable("its data changed while it was read")

    def _read(self, position: int) -> bytes:
        with _saying_why():
            return os.pread(self._descriptor, _CHUNK, position)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class Folder:
    """`Files` below a `v2` folder."""

    root: Path

    def names(self, path: str) -> list[str]:
        """See the port."""
        try:
            with _saying_why():
                return sorted(os.listdir(self.root / path))  # noqa: PTH208  names, of which there may be very many
        except FileNotFoundError:
            return []

    def read(self, path: str, limit: int) -> bytes | None:
        """See the port."""
        file = self.open(path)
        if file is None:
            return None
        with file:
            if file.size > limit:
                raise Unreadable(f"it has {file.size} bytes, and {limit} are the most")
            return b"".join(file.chunks())

    def open(self, path: str) -> FolderFile | None:
        """See the port."""
        try:
            with _saying_why():
                descriptor = os.open(self.root / path, _FLAGS)
        except FileNotFoundError:
            return None
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            os.close(descriptor)
            raise Unreadable("not a regular file")
        return FolderFile(descriptor, facts)


@contextmanager
def _saying_why() -> Iterator[None]:
    """What the source's disk says is a reason to report; what is absent passes. Raises: Unreadable."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
