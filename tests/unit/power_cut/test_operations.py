"""What strace says, understood: all that changes the files of one folder, in the order in which calls returned."""

import pytest

from tests.power_cut.operations import (
    Answered,
    Create,
    MakeFolder,
    Operation,
    Reader,
    Remove,
    Rename,
    Sync,
    Truncate,
    Unreadable,
    Write,
)


def hexed(text: str) -> str:
    """As `-xx` writes strings."""
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def opened(path: str, descriptor: int = 5, flags: str = "O_RDWR|O_CREAT") -> str:
    return f'7 openat(AT_FDCWD<{hexed("/")}>, "{hexed(path)}", {flags}, 0600) = {descriptor}<{hexed(path)}>'


def file(path: str, descriptor: int = 5) -> str:
    return f"{descriptor}<{hexed(path)}>"


def read(*lines: str) -> list[Operation]:
    return Reader("/data").read(lines)


def test_what_happens_elsewhere_is_left_out() -> None:
    assert read(opened("/database"), f'7 pwrite64({file("/etc/x")}, "{hexed("x")}", 1, 0) = 1') == []


def test_a_file_is_created_once_and_cut_when_asked() -> None:
    lines = opened("/data/a"), opened("/data/a"), opened("/data/a", flags="O_WRONLY|O_CREAT|O_TRUNC")
    assert read(*lines) == [Create("a"), Truncate("a", 0)]


def test_a_call_that_failed_did_nothing() -> None:
    assert read(f'7 mkdir("{hexed("/data/b")}", 0700) = -1 EEXIST (File exists)') == []


def test_writes_go_where_they_say_or_where_the_last_one_ended() -> None:
    lines = (
        opened("/data/a"),
        f'7 write({file("/data/a")}, "{hexed("abc")}", 3) = 2',
        f"7 fsync({file('/data/a')}) = 0",
        f'7 write({file("/data/a")}, "{hexed("c")}", 1) = 1',
        f'7 pwrite64({file("/data/a")}, "{hexed("z")}", 1, 9) = 1',
        f'7 pwritev2({file("/data/a")}, [{{iov_base="{hexed("x")}", iov_len=1}}], 1, 4, 0) = 1',
    )
    assert read(*lines) == [
        Create("a"), Write("a", 0, b"ab"), Sync("a", 2), Write("a", 2, b"c"), Write("a", 9, b"z"), Write("a", 4, b"x"),
    ]  # fmt: skip


def test_writes_that_follow_each_other_are_one() -> None:
    lines = [f'7 pwrite64({file("/data/a")}, "{hexed(byte)}", 1, {place}) = 1' for place, byte in enumerate("abc")]
    assert read(*lines) == [Write("a", 0, b"abc")]


def test_a_sync_covers_what_had_returned_when_it_began() -> None:
    lines = (
        f'7 pwrite64({file("/data/a")}, "{hexed("a")}", 1, 0) = 1',
        f"7 fdatasync({file('/data/a')} <unfinished ...>",
        f'8 pwrite64({file("/data/a")}, "{hexed("b")}", 1, 1) = 1',
        "7 <... fdatasync resumed>) = 0",
    )
    assert read(*lines) == [Write("a", 0, b"a"), Write("a", 1, b"b"), Sync("a", 1)]


def test_names_come_and_go() -> None:
    lines = (
        f'7 mkdir("{hexed("/data")}", 0700) = 0',
        f'7 mkdir("{hexed("/data/b")}", 0700) = 0',
        f'7 rename("{hexed("/data/b/x")}", "{hexed("/data/b/y")}") = 0',
        f'7 unlink("{hexed("/data/b/y")}") = 0',
    )
    assert read(*lines) == [MakeFolder("b"), Rename("b/x", "b/y"), Remove("b/y")]


def test_an_answer_is_what_a_socket_is_told_first() -> None:
    line = f'7 write(9<{hexed("socket:[1]")}>, "{hexed("HTTP/1.1 201 Created")}", 20) = 20'
    assert read(line) == [Answered(201)]


def test_what_sqlite_makes_anew_is_left_out() -> None:
    assert read(opened("/data/registry.db-shm")) == []


@pytest.mark.parametrize(
    "line",
    [
        f"7 fallocate({file('/data/a')}, 0, 0, 4096) = 0",
        f"7 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, {file('/data/a')}, 0) = 0x7f00",
        f'7 rename("{hexed("/elsewhere/a")}", "{hexed("/data/a")}") = 0',
        opened("/data/a", flags="O_WRONLY|O_CREAT|O_APPEND"),
        f'7 pwrite64({file("/data/a")}, "{hexed("cut short")}"..., 4096, 0) = 4096',
    ],
)
def test_what_it_cannot_understand_it_refuses(line: str) -> None:
    with pytest.raises(Unreadable):
        read(line)
