"""A disk that forgets: only what was synced is sure to last, and bytes and names are synced apart."""

from tests.power_cut.disk import SECTOR, Bytes, Disk, Tree
from tests.power_cut.operations import Create, Link, MakeFolder, Operation, Remove, Rename, Sync, Truncate, Write
from tests.power_cut.survivals import survivals

EVERYTHING = 99


def written(*operations: Operation) -> Disk:
    disk = Disk()
    for operation in operations:
        disk.apply(operation)
    return disk


def left(*operations: Operation) -> Tree:
    return written(*operations).left([])


def seen(*operations: Operation) -> Tree:
    disk = written(*operations)
    return disk.left(disk.loose)


def test_nothing_lasts_that_was_not_synced() -> None:
    assert left(Create("a"), Write("a", 0, b"new")) == {}
    assert seen(Create("a"), Write("a", 0, b"new")) == {"a": b"new"}


def test_a_file_that_was_synced_needs_its_name() -> None:
    made = Create("a"), Write("a", 0, b"new"), Sync("a", EVERYTHING)
    assert left(*made) == {}
    assert left(*made, Sync("", EVERYTHING)) == {"a": b"new"}


def test_a_name_that_was_synced_has_no_bytes_yet() -> None:
    assert left(Create("a"), Write("a", 0, b"new"), Sync("", EVERYTHING)) == {"a": b""}


def test_a_folder_lasts_by_the_one_above_it() -> None:
    made = MakeFolder("b"), Create("b/a"), Sync("b", EVERYTHING)
    assert left(*made) == {}
    assert left(*made, Sync("", EVERYTHING)) == {"b": None, "b/a": b""}


def test_a_sync_covers_what_was_done_when_it_began() -> None:
    made = Create("a"), Sync("", EVERYTHING), Write("a", 0, b"old"), Write("a", 0, b"new")
    assert left(*made, Sync("a", covered=3)) == {"a": b"old"}


def test_a_rename_happens_or_not() -> None:
    durable = Create("a"), Create("b"), Write("b", 0, b"b"), Sync("b", EVERYTHING), Sync("", EVERYTHING)
    assert left(*durable, Rename("b", "a")) == {"a": b"", "b": b"b"}
    assert left(*durable, Rename("b", "a"), Sync("", EVERYTHING)) == {"a": b"b"}


def test_a_link_gives_the_same_file_another_name() -> None:
    assert seen(Create("a"), Link("a", "b"), Write("b", 0, b"x"), Remove("a")) == {"b": b"x"}


def test_what_was_removed_comes_back_unless_its_folder_was_synced() -> None:
    durable = Create("a"), Sync("", EVERYTHING)
    assert left(*durable, Remove("a")) == {"a": b""}
    assert left(*durable, Remove("a"), Sync("", EVERYTHING)) == {}


def test_a_write_beyond_the_end_leaves_zeros_before_it() -> None:
    assert seen(Create("a"), Write("a", 2, b"x"), Truncate("a", 4)) == {"a": b"\0\0x\0"}


def test_a_later_write_may_last_without_an_earlier_one() -> None:
    disk = written(Create("a"), Sync("", EVERYTHING), Write("a", 0, b"a"), Write("a", 1, b"b"))
    assert {disk.left(survivors)["a"] for survivors in survivals(disk.loose)} == {b"", b"a", b"ab", b"\0b"}


def test_a_write_is_torn_between_sectors() -> None:
    data = b"a" * SECTOR + b"b" * SECTOR + b"c"
    torn = [(each.offset, each.data) for each in Bytes(node=1, offset=7, data=data, number=0).torn()]
    assert torn == [(7, data[:SECTOR]), (7, data[: 2 * SECTOR]), (7 + SECTOR, data[SECTOR:])]


def test_a_disk_may_lie() -> None:
    disk = Disk(lies=lambda path: path == "a")
    for operation in (Create("a"), Write("a", 0, b"new"), Sync("a", EVERYTHING), Sync("", EVERYTHING)):
        disk.apply(operation)
    assert disk.left([]) == {"a": b""}
