"""A tree of objects in a bucket, and what an import makes of a store that gives trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from registry.importing.objects import Objects, find_root
from registry.importing.source import Lost, Unreadable
from registry.storage.s3_client import MIB, S3Settings
from registry.storage.s3_tree import S3Tree
from tests.support.images import random_bytes
from tests.support.s3 import S3Server, s3_server
from tests.support.s3_faults import Fault, FaultyProxy

__all__ = ["s3_server"]


@dataclass
class Place:
    """A bucket of somebody else's, and the tree in it, as seen through a proxy."""

    server: S3Server
    proxy: FaultyProxy
    prefix: str = "root/"
    bucket: str = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = self.server.new_bucket()

    @property
    def settings(self) -> S3Settings:
        return self.server.settings(self.bucket, endpoint=self.proxy.url, prefix=self.prefix, attempts=2)

    @property
    def tree(self) -> S3Tree:
        return S3Tree(self.settings)

    @property
    def files(self) -> Objects:
        return Objects(self.tree, "")

    def put(self, **objects: bytes) -> None:
        for key, content in objects.items():
            self.put_at(self.prefix + key, content)

    def put_at(self, key: str, content: bytes = b"") -> None:
        self._client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self.bucket, Key=self.prefix + key)

    @property
    def _client(self) -> Any:
        return self.server.client()


@pytest.fixture
def place(s3_server: S3Server) -> Iterator[Place]:
    with FaultyProxy(s3_server) as proxy:
        yield Place(s3_server, proxy)


def test_a_folder_has_the_names_of_files_and_folders_and_nothing_deeper(place: Place) -> None:
    for key in ("b/c/link", "b/d/link", "a", "c"):
        place.put_at(f"root/{key}")
    place.put_at("elsewhere/e")
    assert place.tree.names("") == ["a", "b", "c"]
    assert place.tree.names("b") == ["c", "d"]
    assert place.tree.names("b/c") == ["link"]


def test_a_folder_that_is_not_there_has_no_names_nor_has_a_file_or_half_a_name(place: Place) -> None:
    place.put(folder=b"it is a file")
    assert place.tree.names("absent") == place.tree.names("folder") == place.tree.names("fold") == []


def test_a_folder_of_more_than_one_page_is_listed_whole(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = place.tree
    paginator = tree._client.get_paginator("list_objects_v2")
    small: dict[str, Any] = {"PaginationConfig": {"PageSize": 2}}
    monkeypatch.setattr(
        tree._client,
        "get_paginator",
        lambda _: type("Pages", (), {"paginate": lambda _, **asked: paginator.paginate(**asked, **small)})(),
    )
    for number in range(5):
        place.put_at(f"root/tags/{number}/current/link")
    place.proxy.seen.clear()
    assert tree.names("tags") == ["0", "1", "2", "3", "4"]
    assert len(place.proxy.seen) > 1


def test_an_object_for_the_folder_itself_is_no_name_in_it(place: Place) -> None:
    place.put_at("root/folder/")
    place.put_at("root/folder/a")
    assert place.tree.names("folder") == ["a"]


def test_only_as_many_bytes_are_read_as_were_asked_for(place: Place) -> None:
    place.put(file=b"0123456789", empty=b"")
    assert place.tree.begins("file", 4) == b"0123"
    assert place.tree.begins("file", 40) == b"0123456789"
    assert place.tree.begins("empty", 4) == b""
    assert place.tree.begins("absent", 4) is None


def test_a_file_may_have_its_limit_and_no_more(place: Place) -> None:
    place.put(file=b"0123456789")
    assert place.files.read("file", 10) == b"0123456789"
    assert place.files.read("absent", 10) is None
    with pytest.raises(Unreadable, match="more than 9 bytes"):
        place.files.read("file", 9)


@pytest.mark.parametrize("size", [0, 1, 3 * MIB + 1])
def test_a_file_comes_whole_from_its_first_byte_to_its_last(place: Place, size: int) -> None:
    content = random_bytes("whole", size)
    place.put(file=content)
    file = place.files.open("file")
    assert file is not None
    with file:
        assert file.size == size
        assert b"".join(file.chunks()) == content


def test_a_file_that_is_not_there_is_none(place: Place) -> None:
    assert place.files.open("absent") is None


def test_a_connection_that_is_cut_is_only_a_pause(place: Place) -> None:
    content = random_bytes("cut", 3 * MIB)
    place.put(file=content)
    place.proxy.fail("GetObject", Fault.CUT_ANSWER, times=2)
    file = place.files.open("file")
    assert file is not None
    with file:
        assert b"".join(file.chunks()) == content
    assert place.proxy.seen.count("GetObject") == 3


def test_a_file_that_is_deleted_while_it_is_read_is_unreadable(place: Place) -> None:
    place.put(file=random_bytes("gone", 3 * MIB))
    place.proxy.fail("GetObject", Fault.CUT_ANSWER)
    file = place.files.open("file")
    assert file is not None
    place.delete("file")
    with file, pytest.raises(Unreadable, match="gone or was replaced"):
        list(file.chunks())


def test_a_file_that_is_replaced_by_a_shorter_one_is_unreadable(place: Place) -> None:
    place.put(file=random_bytes("long", 3 * MIB))
    place.proxy.fail("GetObject", Fault.CUT_ANSWER)
    file = place.files.open("file")
    assert file is not None
    place.put(file=random_bytes("short", 2 * MIB))
    with file, pytest.raises(Unreadable, match="gone or was replaced"):
        list(file.chunks())


QUESTIONS: dict[str, Callable[[Objects], object]] = {
    "ListObjectsV2": lambda files: files.names("folder"),
    "GetObject": lambda files: files.read("file", 100),
    "HeadObject": lambda files: files.open("file"),
}


@pytest.mark.parametrize("operation", QUESTIONS)
def test_a_store_that_does_not_answer_is_lost_and_not_a_broken_tree(place: Place, operation: str) -> None:
    place.put(file=b"it is there")
    place.proxy.fail(operation, Fault.INTERNAL_ERROR, times=100)
    with pytest.raises(Lost, match="the store does not answer"):
        QUESTIONS[operation](place.files)


@pytest.mark.parametrize("operation", QUESTIONS)
def test_a_bucket_that_is_not_there_is_lost(place: Place, operation: str) -> None:
    place.bucket = "absent"
    with pytest.raises(Lost, match="the store does not answer"):
        QUESTIONS[operation](place.files)


def test_the_root_is_found_where_the_registry_was_told_to_keep_it_or_one_below(place: Place) -> None:
    assert find_root(place.tree) is None
    place.put_at("root/docker/registry/v2/repositories/app/_manifests/tags/1/current/link")
    assert find_root(place.tree) == "docker/registry/v2/"
    place.prefix = "root/docker/registry/v2/"
    assert find_root(place.tree) == ""
