"""Making a file of the source an object of ours without copying it: one more name for the same bytes.

    source's name ──▶ inode ◀── blobs/<2 hex>/<uuid>

Two registries then share an inode, and neither may change it. They do not:

- The source replaces files by renaming, and deletes by removing a name; the bytes under a name stay. It has no reason
  to write to a blob again, whose name is the digest of what it holds.
- We write to an object only by a `Receiver` of the session that names it, and what comes here is received by
  `Adoption`, which holds a descriptor for reading and cannot write or cut. A commit takes the object away from its
  session for good (`Uploads.finish`), and a cancelled or expired session only dooms it, which removes our name alone.
  Between the link and the commit the session is open, and to continue it by a `FileReceiver` would cut the file; but
  its id was never told to anybody, and the link comes last, when all bytes are verified.

The inode keeps its owner and mode. Where that could matter the kernel refuses the link (protected_hardlinks), and the
file is copied.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

from registry.core.facts import SMALL, ObjectKey
from registry.core.ports import ObjectLost, ObjectStore, Receiver
from registry.storage.durable import FOLDER_MODE, sync_folder
from registry.storage.layout import BLOBS, object_path
from registry.storage.receiver import making_room

# Another file system or mount, a link that is not ours to make, too many of them, none at all in this file system;
# and a file whose name is gone, or a machine without /proc.
_REFUSALS: Final = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOENT}
)


class NotAdoptable(Exception):
    """The file cannot become an object as it is, and has to be copied."""


class Adopter(Protocol):
    """A store that can take a file of this machine as it is."""

    def may(self, descriptor: int) -> bool:
        """Whether it is worth trying."""
        ...

    def adopt(self, key: ObjectKey, descriptor: int) -> None:
        """The open file is the object, and survives a power cut. Raises: NotAdoptable, StorageFull."""
        ...


class FolderAdopter:
    """`Adopter` for the data folder of a `FilesystemStore`."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def may(self, descriptor: int) -> bool:
        """Both on one file system."""
        return os.fstat(descriptor).st_dev == (self._root / BLOBS).stat().st_dev

    def adopt(self, key: ObjectKey, descriptor: int) -> None:
        """See the port. The bytes first: the source may have lost its power before they were on its disk."""
        os.fsync(descriptor)
        path = self._root / object_path(key)
        with making_room():
            # Another process may have made it, and not have come to sync it.
            path.parent.mkdir(FOLDER_MODE, exist_ok=True)
            self._link(descriptor, path)
        sync_folder(path.parent)
        sync_folder(self._root / BLOBS)

    def _link(self, descriptor: int, path: Path) -> None:
        """By the descriptor: what was read is what is linked, whatever has its name by now."""
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # With a folder's descriptor Python calls linkat, which is told to follow; link would not.
            os.link(f"/proc/self/fd/{descriptor}", path.name, dst_dir_fd=folder, follow_symlinks=True)
        except OSError as error:
            if error.errno in _REFUSALS:
                raise NotAdoptable(error.strerror) from None
            raise
        finally:
            os.close(folder)


class Adoption:
    """`Receiver` that keeps nothing of what is appended, as the file holds it already; sealing links it."""

    leftovers: Final = None

    def __init__(self, adopter: Adopter, key: ObjectKey, descriptor: int, still_mine: Callable[[], bool]) -> None:
        """The descriptor is the caller's, and stays open until this is closed."""
        self._adopter = adopter
        self._key = key
        self._descriptor = descriptor
        self._still_mine = still_mine
        self._position = 0

    def append(self, chunks: Sequence[bytes]) -> bool:
        """See the port: only counted, for nothing changes."""
        self._position += sum(map(len, chunks))
        return True

    def sync(self) -> str:
        """See the port: the bytes are in the file, and its name comes last."""
        os.fsync(self._descriptor)
        return ""

    def cut(self, offset: int) -> bool:
        """See the port: there is nothing of ours in the file that could be given back."""
        self._position = min(self._position, offset)
        return self._still_mine()

    def content(self) -> bytes | None:
        """See the port."""
        self._whole()
        return os.pread(self._descriptor, SMALL, 0) if self._still_mine() else None

    def seal(self) -> bool:
        """See the port. Raises: ObjectLost, NotAdoptable, StorageFull."""
        self._whole()
        if not self._still_mine():
            return False
        self._adopter.adopt(self._key, self._descriptor)
        return True

    def _whole(self) -> None:
        if os.fstat(self._descriptor).st_size != self._position:
            raise ObjectLost(str(self._key))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The descriptor is not ours to close."""


class AdoptingStore:
    """`ObjectStore` whose next object is one open file; all else is the store's behind it."""

    def __init__(self, behind: ObjectStore, adopter: Adopter, descriptor: int) -> None:
        self._behind = behind
        self._adopter = adopter
        self._descriptor = descriptor

    @property
    def is_prompt(self) -> bool:
        """See the port."""
        return self._behind.is_prompt

    @property
    def least_chunk(self) -> int:
        """See the port."""
        return self._behind.least_chunk

    def receive(self, key: ObjectKey, offset: int, state: str, still_mine: Callable[[], bool]) -> Receiver | None:
        """See the port; a session goes on as it began."""
        if offset:
            return self._behind.receive(key, offset, state, still_mine)
        return Adoption(self._adopter, key, self._descriptor, still_mine) if still_mine() else None

    def size(self, key: ObjectKey) -> int | None:
        """See the port."""
        return self._behind.size(key)

    def open(self, key: ObjectKey, start: int = 0) -> BinaryIO:
        """See the port."""
        return self._behind.open(key, start)

    def pread(self, key: ObjectKey, start: int, length: int) -> bytes:
        """See the port."""
        return self._behind.pread(key, start, length)

    def url(self, key: ObjectKey) -> str | None:
        """See the port."""
        return self._behind.url(key)

    def delete(self, keys: Iterable[ObjectKey]) -> None:
        """See the port."""
        self._behind.delete(keys)
