"""An `entrepot import` that is killed as soon as it has brought enough, as often as a test likes."""

import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from tests.system.waiting import eventually


def killed_after(argv: Sequence[str], environment: Mapping[str, str], data: Path, blobs: int) -> int:
    """Kill a run as soon as more blobs than that are there; how many there were afterwards."""

    def count() -> int:
        try:
            with closing(sqlite3.connect(f"file:{data / 'registry.db'}?mode=ro", uri=True)) as connection:
                found: int = connection.execute("SELECT count(*) FROM blob").fetchone()[0]
                return found
        except sqlite3.OperationalError:
            return 0

    with subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        eventually(f"more than {blobs} blobs are there", lambda: count() > blobs)
        run.kill()
    assert run.returncode == -9, "it was done before it could be killed"
    return count()
