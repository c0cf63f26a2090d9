"""`registry.cli_fsck`: what the person who looks after a registry reads, and what a program does."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from registry import app
from registry.cli_fsck import CANNOT_RUN, LEFT, fsck_command
from registry.config import Settings
from registry.storage.layout import new_key

PASSWORD = {"REGISTRY_ADMIN_PASSWORD": "correct horse"}


def fsck(data: Path, *arguments: str) -> Result:
    return CliRunner(env=PASSWORD).invoke(fsck_command, ["--data", str(data), *arguments])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A registry's folder."""
    folder = tmp_path / "data"
    app.prepare(Settings(data=folder, admin_password="correct horse"))
    return folder


@pytest.fixture
def stray(data: Path) -> Path:
    """An object of nobody's, two hours old."""
    file = data / str(new_key())
    file.parent.mkdir(parents=True)
    file.write_bytes(b"stray")
    os.utime(file, (time.time() - 7200,) * 2)
    return file


def test_a_registry_in_good_order_ends_with_0(data: Path) -> None:
    result = fsck(data)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "looked at: held 0, objects 0, contents 0, projects 0, bytes 0",
        "nothing is wrong",
    ]


def test_what_is_left_ends_with_1_and_what_is_repaired_with_0(data: Path, stray: Path) -> None:
    name = stray.relative_to(data)
    first, second = fsck(data), fsck(data, "--delete")
    assert (first.exit_code, second.exit_code) == (LEFT, 0) == (1, 0)
    assert first.stdout.splitlines()[0] == f"left: unknown-object {name}: no row names its 5 bytes"
    assert first.stdout.splitlines()[-1] == "found: 1 left, 0 marked, 0 repaired"
    assert second.stdout.splitlines()[-1] == "found: 0 left, 0 marked, 1 repaired"
    assert fsck(data).exit_code == 0
    # The sweeper's turn has not come.
    assert stray.read_bytes() == b"stray"


def test_an_hour_s_grace_can_be_changed(data: Path, stray: Path) -> None:
    os.utime(stray, (time.time() - 600,) * 2)
    assert [fsck(data, *grace).exit_code for grace in ([], ["--grace", "1h"], ["--grace", "5m"])] == [0, 0, 1]
    refused = fsck(data, "--grace", "soon")
    assert refused.exit_code == CANNOT_RUN
    assert "not a duration" in refused.stderr


def test_json_holds_what_people_read(data: Path, stray: Path) -> None:
    document = json.loads(fsck(data, "--json").stdout)
    assert document == {
        "looked_at": {"held": 1, "objects": 0, "contents": 0, "projects": 0, "bytes": 0},
        "left": 1,
        "found": [
            {
                "what": "unknown-object",
                "name": str(stray.relative_to(data)),
                "reason": "no row names its 5 bytes",
                "outcome": "left",
                "repositories": [],
                "tags": [],
                "more_places": False,
            }
        ],
        "counts": [{"what": "unknown-object", "outcome": "left", "count": 1}],
        "untold": 0,
        "collector_released": False,
        "collector_paused": "",
    }


def test_a_paused_collector_is_told_of_when_it_goes_on(data: Path) -> None:
    with closing(sqlite3.connect(data / "registry.db")) as connection, connection:
        connection.execute("INSERT INTO setting (name, value) VALUES ('collector_paused', 'restored')")
    assert "the collector goes on from now" in fsck(data).stdout
    assert "the collector goes on from now" not in fsck(data).stdout


def test_a_collector_that_stays_paused_is_told_of_and_can_be_let_go_on(data: Path, stray: Path) -> None:
    assert stray.exists()
    with closing(sqlite3.connect(data / "registry.db")) as connection, connection:
        connection.execute("INSERT INTO setting (name, value) VALUES ('collector_paused', 'restored')")
    assert "the collector is paused: restored" in fsck(data).stdout
    resumed = fsck(data, "--resume-collector")
    assert "the collector goes on from now" in resumed.stdout
    assert resumed.exit_code == LEFT
    assert "the collector" not in fsck(data).stdout


def test_where_there_is_no_registry_none_is_made(tmp_path: Path) -> None:
    result = fsck(tmp_path / "mistyped")
    assert (result.exit_code, result.stdout) == (CANNOT_RUN, "")
    assert result.stderr == f"error: {tmp_path / 'mistyped'} holds no registry\n"
    assert not (tmp_path / "mistyped").exists()


def test_a_store_that_was_never_a_registry_s_is_not_taken_for_a_loss_of_everything(data: Path) -> None:
    (data / "layout.json").unlink()
    result = fsck(data, "--repair")
    assert (result.exit_code, result.stdout) == (CANNOT_RUN, "")
    assert "no registry has ever used this store" in result.stderr
    assert not (data / "layout.json").exists()


def test_a_folder_of_another_instance_is_not_looked_at(data: Path) -> None:
    (data / "layout.json").write_text('{"layout": 1, "instance": "another"}')
    result = fsck(data, "--repair", "--delete")
    assert (result.exit_code, result.stdout) == (CANNOT_RUN, "")
    assert "belongs to instance another" in result.stderr


def test_settings_that_cannot_be_used_end_with_2(data: Path) -> None:
    assert fsck(data, "--config", str(data / "none.toml")).exit_code == CANNOT_RUN == 2


def test_help_loads_nothing_that_looks(tmp_path: Path) -> None:
    program = "import sys, registry.cli_fsck; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"sqlalchemy", "registry.app", "registry.storage", "registry.core"}
