"""Writing to one file: short writes, full disks, failed syncs, killed processes, and others at the same time."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.facts import ObjectKey
from registry.oci.errors import StorageFull
from registry.storage import receiver as receiver_module
from registry.storage import writeback
from registry.storage.filesystem import FilesystemStore
from registry.storage.layout import new_key
from registry.storage.writeback import BATCH
from tests.unit.storage.conftest import Scene

Pwritev = Callable[[int, Sequence[Any], int], int]


def writing_at_most(most: int, then: OSError | None = None, after: int = sys.maxsize) -> Pwritev:
    """A kernel that takes `most` bytes at a time, and fails once it has taken `after`."""
    taken = 0

    def pwritev(descriptor: int, buffers: Sequence[Any], position: int) -> int:
        nonlocal taken
        if then is not None and taken >= after:
            raise then
        part = b"".join(buffers)[:most]
        taken += len(part)
        return os.pwrite(descriptor, part, position)

    return pwritev


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("data"))


@given(chunks=st.lists(st.binary(max_size=9), max_size=12), most=st.integers(1, 20))
def test_every_byte_is_written_however_few_the_kernel_takes_at_a_time(
    shared_scene: Scene, chunks: Sequence[bytes], most: int
) -> None:
    key = new_key()
    with pytest.MonkeyPatch.context() as patch, shared_scene.receive(key) as receiver:
        patch.setattr(os, "pwritev", writing_at_most(most))
        receiver.append([b"before "])
        receiver.append(chunks)
    assert shared_scene.path(key).read_bytes() == b"before " + b"".join(chunks)


def test_there_may_be_more_chunks_than_the_kernel_takes_at_a_time(scene: Scene) -> None:
    key = new_key()
    chunks = [number.to_bytes(2, "big") for number in range(2 * os.sysconf("SC_IOV_MAX") + 1)]
    with scene.receive(key) as receiver:
        assert receiver.append(chunks)
    assert scene.path(key).read_bytes() == b"".join(chunks)


def test_a_kernel_that_takes_nothing_is_not_asked_for_ever(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with scene.receive(new_key()) as receiver:
        monkeypatch.setattr(os, "pwritev", writing_at_most(0))
        with pytest.raises(OSError, match="took no bytes"):
            receiver.append([b"bytes"])


# Full


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_an_append_for_which_there_is_no_room_leaves_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    key = scene.put(b"before")
    with scene.receive(key, 6) as receiver:
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwritev", writing_at_most(3, OSError(number, "full"), after=6))
            with pytest.raises(StorageFull):
                receiver.append([b"much too much"])
        assert scene.store.size(key) == 6
        # There may be room again, or for less.
        assert receiver.append([b"!"])
        receiver.sync()
    assert scene.path(key).read_bytes() == b"before!"


def test_a_file_as_large_as_the_process_may_write_is_full(scene: Scene) -> None:
    key = scene.put(b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with scene.receive(key, 6) as receiver:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
        try:
            with pytest.raises(StorageFull):
                receiver.append([bytes(1 << 15)] * 3)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert scene.path(key).read_bytes() == b"before"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB and 16 files."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=16,mode=0700", "tmpfs", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small tmpfs: {mounted.stderr.strip()}")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.root
def test_a_full_disk_gets_back_what_the_append_took(small_disk: Path) -> None:
    scene = Scene(small_disk / "data")
    key = scene.put(bytes(1 << 16))
    free = os.statvfs(small_disk).f_bavail
    with scene.receive(key, 1 << 16) as receiver:
        with pytest.raises(StorageFull):
            receiver.append([bytes(1 << 16)] * 32)
        assert os.statvfs(small_disk).f_bavail == free
        assert receiver.append([b"there is room for this"])
    assert scene.store.size(key) == (1 << 16) + 22


@pytest.mark.root
def test_a_disk_without_room_for_another_file_is_full(small_disk: Path) -> None:
    scene = Scene(small_disk / "data")
    keys: list[ObjectKey] = []
    with pytest.raises(StorageFull):
        keys.extend(scene.put(b"") for _ in range(16))
    assert [scene.store.size(key) for key in keys] == [0] * len(keys) != []


# Failure


def test_after_a_failed_write_nothing_more_is_written(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    key = scene.put(b"before")
    with scene.receive(key, 6) as receiver:
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwritev", writing_at_most(3, OSError(errno.EIO, "broken disk"), after=6))
            with pytest.raises(OSError, match="broken disk"):
                receiver.append([b"some more bytes"])
        with pytest.raises(OSError, match="earlier write or sync failed"):
            receiver.append([b"!"])
        with pytest.raises(OSError, match="earlier write or sync failed"):
            receiver.sync()
    assert scene.path(key).read_bytes() == b"before"


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EIO, OSError), (errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull)]
)
def test_a_failed_sync_is_never_repeated(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    key = new_key()
    asked = []

    def fail(descriptor: int) -> None:
        asked.append(descriptor)
        raise OSError(number, "not written")

    with scene.receive(key) as receiver:
        receiver.append([b"bytes"])
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail)
            with pytest.raises(kind):
                receiver.sync()
        with pytest.raises(OSError, match="earlier write or sync failed"):
            receiver.sync()
        with pytest.raises(OSError, match="earlier write or sync failed"):
            receiver.append([b"more"])
        # What it took can still be given back.
        assert receiver.cut(0)
    assert len(asked) == 1
    assert scene.store.size(key) == 0


def test_a_name_that_cannot_be_made_durable_is_a_failed_sync(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "not written")

    with scene.receive(new_key()) as receiver:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(OSError, match="not written"):
                receiver.sync()
        with pytest.raises(OSError, match="earlier write or sync failed"):
            receiver.sync()


def test_a_closed_receiver_writes_to_no_file_that_has_its_number_now(scene: Scene) -> None:
    receiver = scene.receive(new_key())
    receiver.close()
    receiver.close()
    other = scene.put(b"other")
    with scene.store.open(other), pytest.raises((OSError, ValueError)):
        receiver.append([b"astray"])
    with pytest.raises((OSError, ValueError)):
        receiver.sync()


# Other processes


def python(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process that knows the registry, running `program`."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


APPENDING = """
import sys
from pathlib import Path
from registry.core.facts import ObjectKey
from registry.storage.filesystem import FilesystemStore

root, key, letter, pieces, rounds = sys.argv[1:]
owner = Path(root, "owner")
print("ready", flush=True)
sys.stdin.readline()
owner.write_text(letter)
receiver = FilesystemStore(Path(root)).receive(ObjectKey(key), 0, "", lambda: owner.read_text() == letter)
written = 0
while receiver is not None and written < int(rounds):
    if not receiver.append([letter.encode() * 3] * int(pieces)):
        break
    written += 1
print(written, flush=True)
"""


def test_of_two_processes_at_once_the_one_that_took_over_writes_and_the_other_never_again(scene: Scene) -> None:
    key = new_key()
    # Several calls to the kernel for each append, between which the other could come.
    pieces, rounds = 5000, 30
    processes = [python(APPENDING, scene.root, key, letter, pieces, rounds) for letter in "ab"]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    written = [int(process.communicate()[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    winner = (scene.root / "owner").read_text()
    assert written["ab".index(winner)] == rounds
    assert scene.path(key).read_bytes() == winner.encode() * 3 * pieces * rounds


KILLED = """
import os, signal, sys
from pathlib import Path
from registry.core.facts import ObjectKey
from registry.storage.filesystem import FilesystemStore

def killed_half_way(descriptor, buffers, position):
    os.pwrite(descriptor, bytes(buffers[0])[:5], position)
    os.kill(os.getpid(), signal.SIGKILL)

root, key = sys.argv[1:]
receiver = FilesystemStore(Path(root)).receive(ObjectKey(key), 0, "", lambda: True)
receiver.append([b"acknowledged, "])
receiver.sync()
os.pwritev = killed_half_way
receiver.append([b"not acknowledged"])
"""


def test_an_object_goes_on_at_its_offset_after_its_writer_was_killed_in_an_append(scene: Scene) -> None:
    key = new_key()
    process = python(KILLED, scene.root, key)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert scene.path(key).read_bytes() == b"acknowledged, not a"
    with scene.receive(key, 14) as receiver:
        assert receiver.append([b"sent again"])
    assert scene.path(key).read_bytes() == b"acknowledged, sent again"


HOLDING = """
import sys
from pathlib import Path
from registry.core.facts import ObjectKey
from registry.storage.filesystem import FilesystemStore

def held():
    print("inside", flush=True)
    return sys.stdin.readline() == "go\\n"

root, key = sys.argv[1:]
receiver = FilesystemStore(Path(root)).receive(ObjectKey(key), 0, "", lambda: True)
receiver._still_mine = held
receiver.append([b"late"])
"""


def test_a_writer_killed_with_the_lock_in_hand_holds_nobody_up(scene: Scene) -> None:
    key = new_key()
    process = python(HOLDING, scene.root, key)
    assert process.stdout is not None
    assert process.stdout.readline() == "inside\n"
    process.kill()
    process.communicate()
    with scene.receive(key) as receiver:
        assert receiver.append([b"mine"])
    assert scene.path(key).read_bytes() == b"mine"


def test_a_store_of_another_process_sees_what_this_one_wrote(scene: Scene) -> None:
    key = scene.put(b"bytes")
    assert FilesystemStore(scene.root).pread(ObjectKey(str(key)), 0, 5) == b"bytes"


def test_the_disk_begins_to_write_while_bytes_arrive_and_never_far_behind(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[int, int]] = []
    monkeypatch.setattr(receiver_module, "begin_writeback", lambda _, start, end: begun.append((start, end)))
    piece = bytes(BATCH // 2 + 1)
    with scene.receive(new_key()) as receiver:
        for _ in range(4):
            receiver.append([piece])
        receiver.cut(BATCH)
        for _ in range(2):
            receiver.append([piece])
    step = 2 * len(piece)
    assert begun == [(0, step), (step, 2 * step), (BATCH, BATCH + step)]


def test_to_begin_writing_is_a_call_that_the_kernel_takes(scene: Scene) -> None:
    key = new_key()
    with scene.receive(key) as receiver:
        receiver.append([b"bytes"])
        with scene.path(key).open("rb") as file:
            assert writeback._sync_file_range is not None
            assert writeback._sync_file_range(file.fileno(), 0, 5, writeback._WRITE) == 0
            assert writeback._sync_file_range(file.fileno(), -1, 5, writeback._WRITE) == -1
