"""Objects as files of one folder, shared by any number of processes of one machine.

An object's life, and what makes each step safe:

receive   open, lock, still mine?, cut to the offset, unlock   the lock drains the writer that was there before us
append    lock, still mine?, write, unlock                     who lost the session never writes after who has it
sync      fdatasync; the first time the folders too            then the row may say `offset`
seal      the same, of the whole file                          then a row may name it live, and 201 be answered
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Final

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectLost
from registry.storage.durable import FILE_MODE, FOLDER_MODE, make_folder, sync_folder
from registry.storage.kept import KeptDescriptors, Shrunk
from registry.storage.layout import BLOBS, object_path
from registry.storage.receiver import FileReceiver, making_room


class FilesystemStore:
    """The objects of one data folder. Safe to use from any thread."""

    is_prompt: Final = True
    least_chunk: Final = 0

    def __init__(self, root: Path) -> None:
        make_folder(root / BLOBS)
        # The folder may be there because another process has just made it and has not come to sync it.
        sync_folder(root)
        # Absolute, and text: paths are joined on the pull path, where pathlib costs more than the kernel does.
        self._root = os.path.abspath(root)  # noqa: PTH100 - see above
        self._kept = KeptDescriptors()
        self._lasting: set[str] = set()

    def receive(self, key: ObjectKey, offset: int, _state: str, still_mine: Callable[[], bool]) -> FileReceiver | None:
        """See the port; a file needs no notes. Raises: ObjectLost, StorageFull."""
        path = self._path(key)
        try:
            with making_room():
                # With bytes acknowledged there must be a file: to create one would only hide that it is lost.
                descriptor = os.open(path, os.O_RDWR) if offset else self._open_or_create(path)
        except FileNotFoundError as error:
            if not still_mine():
                return None
            raise self._lost(key, error) from None
        # Who writes first makes the object's place durable with its bytes; later ones find it so.
        receiver = FileReceiver(key, descriptor, still_mine, settle=None if offset else lambda: self._settle(path))
        with ExitStack() as undo:
            undo.enter_context(receiver)
            if not receiver.take_over(offset):
                return None
            undo.pop_all()
        # What is kept may have seen a longer file, and would take our cut for damage.
        self._kept.drop(path)
        return receiver

    def size(self, key: ObjectKey) -> int | None:
        """See the port."""
        try:
            return os.stat(self._path(key)).st_size  # noqa: PTH116 - on the pull path, see __init__
        except FileNotFoundError as error:
            self._lost(key, error)
            return None

    def open(self, key: ObjectKey, start: int = 0) -> BinaryIO:
        """See the port: a real file, so that the kernel can send it. Raises: ObjectLost."""
        try:
            file = open(self._path(key), "rb")  # noqa: PTH123, SIM115 - text, see __init__; the caller closes it
        except FileNotFoundError as error:
            raise self._lost(key, error) from None
        if start:
            file.seek(start)
        return file

    def url(self, _: ObjectKey) -> None:
        """See the port: files leave through us."""

    def pread(self, key: ObjectKey, start: int, length: int) -> bytes:
        """See the port; an object that has shrunk since it was first read is lost too. Raises: ObjectLost."""
        try:
            return self._kept.pread(self._path(key), start, length)
        except Shrunk:
            raise ObjectLost(str(key)) from None
        except FileNotFoundError as error:
            raise self._lost(key, error) from None

    def delete(self, keys: Iterable[ObjectKey]) -> None:
        """See the port; durable on return, so that the rows may go."""
        # Every key is read before any file goes.
        paths = [self._path(key) for key in keys]
        # With the disk absent every file is, and the rows would go while their bytes come back with it.
        os.stat(f"{self._root}/{BLOBS}")  # noqa: PTH116 - text, see __init__
        for folder, inside in groupby(sorted(paths), key=os.path.dirname):
            for path in inside:
                Path(path).unlink(missing_ok=True)
                self._kept.drop(path)
            if os.path.isdir(folder):  # noqa: PTH112 - text, see __init__
                sync_folder(folder)

    def drop_deleted(self) -> int:
        """Close what is kept of objects that another process has deleted; how many there were.

        Their space is free only then, so each process does this now and then, also when nobody asks it anything.
        """
        return self._kept.drop_deleted()

    def _path(self, key: ObjectKey) -> str:
        return f"{self._root}/{object_path(key)}"

    def _lost(self, key: ObjectKey, error: FileNotFoundError) -> ObjectLost:
        """An absent file is a lost object. When all of them are absent the disk is, and `error` itself is raised."""
        if not os.path.isdir(f"{self._root}/{BLOBS}"):  # noqa: PTH112 - text, see __init__
            raise error
        return ObjectLost(str(key))

    def _open_or_create(self, path: str) -> int:
        flags = os.O_RDWR | os.O_CREAT
        try:
            return os.open(path, flags, FILE_MODE)
        except FileNotFoundError:
            folder = Path(path).parent
            folder.mkdir(FOLDER_MODE, exist_ok=True)
            self._lasting.discard(str(folder))
            return os.open(path, flags, FILE_MODE)

    def _settle(self, path: str) -> None:
        """Make the file's name durable, and that of its folder once in the life of this process.

        Also a folder that was there before: the process that made it may have been killed on its way here.
        """
        folder = os.path.dirname(path)  # noqa: PTH120 - text, see __init__
        sync_folder(folder)
        if folder not in self._lasting:
            sync_folder(f"{self._root}/{BLOBS}")
            self._lasting.add(folder)
