"""Reading everything once: the right bytes, memory left as it was, and a medium that fails told by its object."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectLost, Unreadable
from registry.storage.cold import ColdReads
from registry.storage.filesystem import FilesystemStore
from registry.storage.layout import new_key, object_path
from registry.storage.memory import MemoryStore

PIECE = 1 << 16
DATA = os.urandom(PIECE * 3 + 100)


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path)


def put(store: FilesystemStore | MemoryStore, data: bytes = DATA) -> ObjectKey:
    key = new_key()
    receiver = store.receive(key, 0, "", lambda: True)
    assert receiver is not None
    with receiver:
        receiver.append([data])
        receiver.seal()
    return key


def drained(cold: ColdReads, key: ObjectKey, start: int = 0) -> bytes:
    with cold.open(key, start) as stream:
        return b"".join(iter(lambda: stream.read(PIECE), b""))


@pytest.mark.parametrize("kind", ["files", "memory"])
@pytest.mark.parametrize("start", [0, 1, PIECE, len(DATA), len(DATA) + 1])
def test_the_bytes_come_from_where_one_begins(store: FilesystemStore, kind: str, start: int) -> None:
    there = store if kind == "files" else MemoryStore()
    key = put(there)
    cold = ColdReads(there)
    assert cold.size(key) == len(DATA)
    assert drained(cold, key, start) == DATA[start:]


def test_what_is_not_there_is_lost(store: FilesystemStore) -> None:
    cold = ColdReads(store)
    assert cold.size(new_key()) is None
    cold.forget(new_key())
    with pytest.raises(ObjectLost):
        cold.open(new_key())


def in_memory(path: Path) -> int:
    """How many pages of the file the page cache has, as mincore(2) tells; to read it would change that."""
    page = os.sysconf("SC_PAGESIZE")
    size = path.stat().st_size
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, flags=mmap.MAP_PRIVATE) as mapped:
        there = (ctypes.c_ubyte * -(-size // page))()
        first = ctypes.c_char.from_buffer(mapped)
        answer = ctypes.CDLL(None).mincore(ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(size), there)
        del first
    assert answer == 0
    return sum(each & 1 for each in there)


def demand_forgetting(folder: Path) -> None:
    """Skip where files lie in memory and nowhere else."""
    probe = folder / "probe"
    with probe.open("wb") as file:
        file.write(DATA)
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if in_memory(probe):
        pytest.skip("this file system keeps everything in memory")


def test_what_is_to_be_forgotten_is_read_from_the_medium_next_time(store: FilesystemStore, tmp_path: Path) -> None:
    demand_forgetting(tmp_path)
    key = put(store)
    path = tmp_path / object_path(key)
    path.read_bytes()
    assert in_memory(path) > 0
    ColdReads(store).forget(key)
    assert in_memory(path) == 0


def test_what_was_read_once_does_not_stay_in_memory(store: FilesystemStore, tmp_path: Path) -> None:
    demand_forgetting(tmp_path)
    key = put(store)
    cold, path = ColdReads(store), tmp_path / object_path(key)
    cold.forget(key)
    assert drained(cold, key, PIECE) == DATA[PIECE:]
    assert drained(cold, key) == DATA
    assert in_memory(path) == 0


def test_what_others_have_read_stays_in_memory(store: FilesystemStore, tmp_path: Path) -> None:
    key = put(store)
    path = tmp_path / object_path(key)
    path.read_bytes()
    there = in_memory(path)
    assert there > 0
    drained(ColdReads(store), key)
    assert in_memory(path) == there


@pytest.mark.parametrize("call", ["pread", "preadv"])
def test_a_medium_that_fails_is_told_by_the_object(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    key = put(store)
    monkeypatch.setattr(os, call, failing(errno.EIO))
    with pytest.raises(Unreadable, match=str(key)):
        drained(ColdReads(store), key)


def test_a_store_that_may_not_be_read_is_no_broken_medium(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = put(store)
    monkeypatch.setattr(os, "pread", failing(errno.EACCES))
    with pytest.raises(PermissionError):
        drained(ColdReads(store), key)


@pytest.mark.parametrize("ask", ["size", "open"])
def test_a_folder_that_cannot_be_read_is_told_by_the_object(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch, ask: str
) -> None:
    monkeypatch.setattr(FilesystemStore, ask, failing(errno.EIO))
    with pytest.raises(Unreadable):
        getattr(ColdReads(store), ask)(new_key())


def failing(number: int) -> Callable[..., object]:
    def fail(*_: object) -> object:
        raise OSError(number, os.strerror(number))

    return fail
