"""kill -9 of a backup and of a restore, wherever they are, and a full disk: what was whole stays whole."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import RegistryClient
from tests.support.images import tiny_image
from tests.support.server import RunningServer, ServerFailed
from tests.system.backups import Place, check_whole
from tests.system.reading import Registry
from tests.system.require import require, require_root

NAME = "team/app"
MEBIBYTE = 1 << 20
LAYERS = 40
# The config of so many layers is too large for a row.
OBJECTS = LAYERS + 1

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A registry of 40 MiB."""
    place = Place(tmp_path / "data")
    with place.server() as server, server.http() as http:
        RegistryClient(http).push_image(NAME, tiny_image("much", layers=LAYERS, layer_size=MEBIBYTE), "1")
    return place


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    require_root("a disk of 16 MiB")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)), capture_output=True, check=False
    )
    require(mounted.returncode == 0, f"a tmpfs cannot be mounted: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(("umount", "--lazy", str(folder)), check=True)


def killed_at(process: "subprocess.Popen[str]", folder: Path, objects: int) -> bool:
    """Kill it once so many objects are below the folder; whether it had not ended by then."""
    pause = threading.Event()
    while process.poll() is None and len(objects_in(folder)) < objects:
        pause.wait(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def objects_in(folder: Path) -> list[Path]:
    return [path for path in folder.glob("blobs/*/*") if not path.name.startswith(".")]


def test_a_killed_backup_leaves_the_one_before_whole_and_the_next_goes_on_at_once(place: Place, tmp_path: Path) -> None:
    folder, killed = tmp_path / "backup", []
    for objects in (0, 1, 10, 25):
        killed.append(killed_at(place.begin("backup", folder), folder, objects))
        if (folder / "backup.json").exists():
            check_whole(folder)
    assert any(killed)
    out, err = place.run("backup", folder)
    assert "nothing is broken" in out
    # The lease that it died with is its own.
    assert "waiting" not in err
    assert check_whole(folder) == OBJECTS
    with place.server() as server, server.http() as http:
        RegistryClient(http).push_image(NAME, tiny_image("more", layers=LAYERS, layer_size=MEBIBYTE), "2")
    killed_at(place.begin("backup", folder), folder, OBJECTS + 5)
    assert check_whole(folder) >= OBJECTS
    place.run("backup", folder)
    assert check_whole(folder) == 2 * OBJECTS
    assert not [each for each in folder.rglob(".*") if each.is_file()]


def test_a_killed_restore_is_served_by_nobody_and_the_next_goes_on(place: Place, tmp_path: Path) -> None:
    place.run("backup", tmp_path / "backup")
    target, killed = Place(tmp_path / "target"), []
    for objects in (0, 1, 10, 25):
        killed.append(killed_at(target.begin("restore", tmp_path / "backup"), target.data, objects))
        if killed[-1] and objects:
            with pytest.raises(ServerFailed, match="has not come to its end"):
                target.server().start()
            assert "has not come to its end" in target.run("backup", tmp_path / "another", status=1)[1]
    assert any(killed[1:])
    if killed[-1]:
        out, _ = target.run("restore", tmp_path / "backup")
        assert "nothing is broken" in out
    with target.server() as server:
        assert len(Registry(server.host).contents(NAME, "1")) == OBJECTS + 1
    assert len(objects_in(target.data)) == OBJECTS


def test_a_full_disk_ends_the_backup_and_disturbs_nobody(place: Place, disk: Path) -> None:
    folder = disk / "backup"
    with place.server() as server:
        _, err = place.run("backup", folder, status=1)
        assert "error: " in err
        assert "no space" in err.lower() or "full" in err.lower(), err
        assert not (folder / "backup.json").exists()
        assert not [each for each in folder.rglob(".*") if each.is_file()]
        _serves(server)
        subprocess.run(("mount", "-o", "remount,size=128m", str(disk)), check=True)
        out, _ = place.run("backup", folder)
        assert "nothing is broken" in out
        # What had come before the disk was full came once.
        assert f"{OBJECTS} copied" not in out
        assert check_whole(folder) == OBJECTS
        _serves(server)


def _serves(server: RunningServer) -> None:
    assert len(Registry(server.host).contents(NAME, "1")) == OBJECTS + 1
