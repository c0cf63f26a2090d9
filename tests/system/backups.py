"""Where a registry is kept, seen by its operator: served, backed up and restored by commands."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from registry.cli import main
from tests.support.server import PROJECT, RunningServer, Setting, settings_as_environment


@dataclass(frozen=True)
class Place:
    """A data folder, with the settings that say where the rest is."""

    data: Path
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def server(self, **more: Setting) -> RunningServer:
        """Open to everybody; not started."""
        return RunningServer(self.data, {"open": True, **self.settings, **more}, workers=2)

    def begin(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        """A verb of the command, on its way."""
        return subprocess.Popen(
            (sys.executable, "-m", "registry", *map(str, arguments), "--data", str(self.data)),
            cwd=PROJECT,
            env={**os.environ, **settings_as_environment(self.settings)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, status: int = 0) -> tuple[str, str]:
        """A verb to its end, in this process; what it said on each of its outputs."""
        words = [*map(str, arguments), "--data", str(self.data)]
        result = CliRunner(env=settings_as_environment(self.settings)).invoke(main, words)
        assert result.exit_code == status, f"{result.exit_code}\n{result.output}\n{result.exception!r}"
        return result.stdout, result.stderr


def facts_of(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the newest backup in a folder."""
    file = folder / json.loads((folder / "backup.json").read_text())["facts"]
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr) for name in names}  # noqa: S608 - our own names


def check_whole(folder: Path) -> int:
    """Every object that the newest backup's facts name is in the folder, byte for byte; how many there are."""
    document = json.loads((folder / "backup.json").read_text())
    file = folder / document["facts"]
    assert f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}" == document["facts_digest"]
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        named = connection.execute("SELECT key, digest FROM object JOIN blob ON object_id = object.id").fetchall()
    for key, digest in named:
        assert hashlib.sha256((folder / key).read_bytes()).digest() == digest[1:], key
    assert len(named) == document["objects"]
    return len(named)


def used_and_owed(database: Path) -> tuple[dict[str, int], dict[str, int]]:
    """What each project is charged for, and the same reckoned anew from what its repositories hold."""
    owed = (
        "SELECT name, sum(size) FROM ("
        " SELECT project.name AS name, 'blob' AS kind, link.digest AS digest, blob.size AS size"
        "  FROM link, blob, repository, project"
        "  WHERE blob.id = link.blob_id AND repository.id = link.repository_id AND project.id = project_id"
        " UNION SELECT project.name, 'manifest', manifest.digest, manifest.size FROM manifest, repository, project"
        "  WHERE repository.id = repository_id AND project.id = project_id"
        ") GROUP BY name"
    )
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        used = connection.execute("SELECT name, used FROM project WHERE used > 0").fetchall()
        return dict(used), dict(connection.execute(owed).fetchall())
