"""The data folder's own file, and keys."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.facts import ObjectKey
from registry.storage.durable import replace_file
from registry.storage.layout import VERSION, InstanceMismatch, KeyInvalid, Layout, LayoutInvalid, new_key, object_path


def test_a_new_folder_gets_the_instances_layout(tmp_path: Path) -> None:
    layout = Layout.load_or_create(tmp_path / "data", "an instance")
    assert layout == Layout(VERSION, "an instance")
    file = tmp_path / "data" / "layout.json"
    assert json.loads(file.read_bytes()) == {"layout": 1, "instance": "an instance"}
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(file.parent.iterdir()) == [file]


def test_the_same_instance_finds_its_folder_again(tmp_path: Path) -> None:
    created = Layout.load_or_create(tmp_path, "an instance")
    before = (tmp_path / "layout.json").stat()
    assert Layout.load_or_create(tmp_path, "an instance") == created == Layout.find(tmp_path)
    assert os.path.samestat((tmp_path / "layout.json").stat(), before)


def test_another_instance_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    Layout.load_or_create(tmp_path, "an instance")
    with pytest.raises(InstanceMismatch, match="belongs to instance an instance, the database to another"):
        Layout.load_or_create(tmp_path, "another")
    assert Layout.find(tmp_path) == Layout(VERSION, "an instance")


def test_a_folder_without_layout_has_none(tmp_path: Path) -> None:
    assert Layout.find(tmp_path) is None
    assert Layout.find(tmp_path / "absent") is None


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_an_unknown_version_is_refused_by_its_number(tmp_path: Path, version: object) -> None:
    # Whatever else such a version says: only this much is sure of it.
    (tmp_path / "layout.json").write_text(json.dumps({"layout": version}))
    with pytest.raises(LayoutInvalid, match=f"layout {version!r}, this program knows 1"):
        Layout.load_or_create(tmp_path, "an instance")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b"{}", b'{"layout": 1}', b"\xff\xfe\xff", b"null"])
def test_what_is_no_layout_is_refused_and_not_overwritten(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "layout.json").write_bytes(content)
    with pytest.raises(LayoutInvalid, match="is not a layout"):
        Layout.load_or_create(tmp_path, "an instance")
    assert (tmp_path / "layout.json").read_bytes() == content


def test_of_several_instances_that_start_at_once_one_gets_the_folder(tmp_path: Path) -> None:
    def start(instance: str) -> str:
        try:
            return Layout.load_or_create(tmp_path / "data", instance).instance
        except InstanceMismatch:
            return "refused"

    instances = [str(number) for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        started = list(threads.map(start, instances))
    layout = Layout.find(tmp_path / "data")
    assert layout is not None
    assert started == [each if each == layout.instance else "refused" for each in instances]


def test_a_file_is_durable_before_its_name_and_the_name_before_we_go_on(tmp_path: Path, synced: list[str]) -> None:
    replace_file(tmp_path / "facts", b"content")
    assert synced == [".facts.new", tmp_path.name]


def test_a_file_is_whole_when_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    replace_file(tmp_path / "facts", b"content")
    assert sizes[0] == 7


def test_a_file_that_could_not_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_file(tmp_path / "facts", b"old")

    def fail(descriptor: int) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="no space left"):
            replace_file(tmp_path / "facts", b"much longer than the next")
    assert (tmp_path / "facts").read_bytes() == b"old"
    replace_file(tmp_path / "facts", b"new")
    assert (tmp_path / "facts").read_bytes() == b"new"


def test_a_new_key_is_a_key_and_like_no_other() -> None:
    keys = [new_key() for _ in range(100)]
    assert len({object_path(key) for key in keys}) == 100
    assert all(len(key.text) == len("blobs/0f/") + 36 for key in keys)


@given(text=st.text() | st.from_regex(r"blobs/[0-9a-f]{2}/[0-9a-f./-]{30,40}", fullmatch=True))
def test_no_path_of_a_key_leaves_the_folder(text: str) -> None:
    try:
        path = object_path(ObjectKey(text))
    except KeyInvalid:
        return
    assert Path(os.path.normpath(path)).parts == Path(path).parts
    assert Path(path).parts[0] == "blobs"
    assert len(Path(path).parts) == 3
