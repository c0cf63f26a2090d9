"""The power is cut at every point of a push and of a collection, and whatever may be left is opened again.

What was acknowledged is there; what is there is whole; nothing is there that no row names.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from registry import app
from tests.power_cut.cutting import Cutter
from tests.power_cut.disk import Disk, Tree
from tests.power_cut.recording import Recording, record
from tests.power_cut.recovery import settings_of, write
from tests.system.require import require_programs
from tests.unit.metadata.databases import quick_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# What the disk may say it has synced, and has not; all of it is needed.
LIES: dict[str, Callable[[str], bool]] = {
    "objects": lambda path: path.startswith("blobs/") and path.count("/") == 2,
    "the folders that hold them": lambda path: path.startswith("blobs/") and path.count("/") == 1,
    "the folder that holds those": lambda path: path == "blobs",
    "the log of the database": lambda path: path.endswith("-wal"),
}
EVERY = 16


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    require_programs("strace")
    return record(tmp_path_factory.mktemp("watched"))


def test_a_power_cut_at_any_point_of_a_push_or_a_collection_loses_nothing_acknowledged(recording: Recording) -> None:
    with quick_folder() as folder:
        assert list(Cutter(recording, folder / "left").wrongs()) == []


@pytest.mark.parametrize("what", LIES)
def test_on_a_disk_that_lies_something_is_lost(what: str, recording: Recording) -> None:
    with quick_folder() as folder:
        assert next(Cutter(recording, folder / "left").wrongs(LIES[what]), None) is not None


def test_a_first_start_that_a_power_cut_ends_is_begun_again(recording: Recording) -> None:
    disk = Disk()
    with quick_folder() as folder:
        left = folder / "left"
        for number, operation in enumerate(recording.operations[: recording.ready]):
            disk.apply(operation)
            for survivors in ([], disk.loose) if number % EVERY == 0 else ():
                _start(disk.left(survivors), left)


def _start(tree: Tree, folder: Path) -> None:
    folder.mkdir()
    write(tree, folder)
    app.prepare(settings_of(folder))
    shutil.rmtree(folder)
