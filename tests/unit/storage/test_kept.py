"""Kept descriptors: bounded, and never those of another file."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry.storage.kept import KeptDescriptors, Shrunk


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Eight files, each full of its own number."""
    paths = [tmp_path / str(number) for number in range(8)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 4096)
    return [str(path) for path in paths]


def test_no_more_are_kept_than_said(files: list[str], descriptors: Callable[[], int]) -> None:
    kept = KeptDescriptors(most=3)
    before = descriptors()
    for path in files:
        kept.pread(path, 0, 1)
    assert descriptors() == before + 3


def test_a_file_is_opened_once(files: list[str], descriptors: Callable[[], int]) -> None:
    kept = KeptDescriptors(most=3)
    before = descriptors()
    for _ in range(5):
        kept.pread(files[0], 0, 1)
    assert descriptors() == before + 1


def test_the_one_read_longest_ago_goes_first(files: list[str], tmp_path: Path) -> None:
    kept = KeptDescriptors(most=2)
    for number in (0, 1, 0, 2):
        kept.pread(files[number], 0, 1)
    # Only what is kept can be told to have shrunk.
    for path in files[:3]:
        Path(path).write_bytes(b"?")
    with pytest.raises(Shrunk):
        kept.pread(files[0], 0, 1)
    with pytest.raises(Shrunk):
        kept.pread(files[2], 0, 1)
    assert kept.pread(files[1], 0, 1) == b"?"


def test_all_are_closed_with_the_keeper(files: list[str], descriptors: Callable[[], int]) -> None:
    before = descriptors()
    kept = KeptDescriptors()
    for path in files:
        kept.pread(path, 0, 1)
    del kept
    assert descriptors() == before


def test_a_file_that_has_grown_and_shrunk_again_has_shrunk(files: list[str]) -> None:
    kept = KeptDescriptors()
    file = Path(files[0])
    kept.pread(files[0], 0, 1)
    file.write_bytes(b"longer" * 4096)
    assert kept.pread(files[0], 0, 6) == b"longer"
    file.write_bytes(bytes(5000))
    with pytest.raises(Shrunk):
        kept.pread(files[0], 0, 6)


def test_an_absent_file_leaves_nothing_behind(tmp_path: Path, descriptors: Callable[[], int]) -> None:
    kept = KeptDescriptors()
    before = descriptors()
    with pytest.raises(FileNotFoundError):
        kept.pread(str(tmp_path / "absent"), 0, 1)
    assert descriptors() == before


def test_threads_that_push_each_others_files_out_read_the_right_bytes(files: list[str]) -> None:
    kept = KeptDescriptors(most=1)

    def read(round_: int) -> bool:
        number = round_ % len(files)
        return kept.pread(files[number], 7, 4000) == bytes([number]) * 4000

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(read, range(2000)))
