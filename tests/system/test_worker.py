"""`entrepot worker`: background work in a process of its own, beside servers that do none."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from tests.support.server import PROJECT, RunningServer, Setting
from tests.system.objects import objects_of
from tests.system.waiting import eventually

SETTINGS: dict[str, Setting] = {"open": True, "upload_expiry": "1s", "delete_delay": "0s", "sweep_interval": "100ms"}


@contextmanager
def working(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**os.environ, **{f"REGISTRY_{name.upper()}": str(value).lower() for name, value in SETTINGS.items()}}
    worker = subprocess.Popen([sys.executable, "-m", "registry", "worker", "--data", data], cwd=PROJECT, env=environ)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def begin_and_send(server: RunningServer) -> None:
    location = httpx.post(f"{server.url}/v2/team/app/blobs/uploads/").headers["location"]
    assert httpx.patch(f"{server.url}{location}", content=bytes(10_000)).status_code == 202


def end_leases(data: Path) -> None:
    with closing(sqlite3.connect(data / "registry.db")) as database, database:
        database.execute("UPDATE lease SET until = 0")


def test_a_worker_sweeps_for_servers_that_do_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with RunningServer(data, {**SETTINGS, "background": False}) as server:
        begin_and_send(server)
        assert len(objects_of(server)) == 1
        with working(data) as worker:
            eventually("what was idle is gone", lambda: not objects_of(server))
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(10) == 0


def test_when_a_worker_is_killed_another_one_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with RunningServer(data, {**SETTINGS, "background": False}) as server:
        with working(data) as first:
            begin_and_send(server)
            eventually("what was idle is gone", lambda: not objects_of(server))
            first.kill()
            first.wait()
        # It may have been in the middle of a sweep, whose lease would have to end by itself.
        end_leases(data)
        begin_and_send(server)
        with working(data):
            eventually("what was idle is gone", lambda: not objects_of(server))
