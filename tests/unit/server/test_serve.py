"""A served application runs in one process or in several; a worker that dies is replaced, and none is left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from registry.server import worker
from tests.unit.server.site import eventually
from tests.unit.server.wire import PATIENCE, Wire, head

ROOT = Path(__file__).parents[3]

APPLICATION = """
import asyncio, os, time
from pathlib import Path
from registry.server.worker import worker_index

here = Path(__file__).parent

def mark(what):
    with (here / "marks").open("a") as marks:
        marks.write(f"{what} {worker_index()} {os.getpid()}\\n")

def create():
    if (here / "broken").exists():
        raise RuntimeError("this application does not start")
    return application

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        mark("start")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        mark("stop")
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/slow":
        mark("slow")
        while not (here / "go").exists():
            await asyncio.sleep(0.01)
    if scope["path"] == "/body":
        mark("body")
        gathered = 0
        try:
            while True:
                chunks, _ = await scope["extensions"]["entrepot.gather"]["receive"](1 << 20)
                gathered += sum(map(len, chunks))
        except ConnectionError:
            mark(f"parked {gathered}")
            return
    if scope["path"] == "/blocks":
        mark("blocks")
        time.sleep(3600)
    body = f"{worker_index()} {os.getpid()}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""

RUN = """
import json, sys
from datetime import timedelta
from registry.server.serve import serve
from registry.server.worker import Serving

def ready(addresses):
    print("ready", json.dumps(addresses), flush=True)

options = json.loads(sys.argv[1])
drain = timedelta(seconds=options.pop("drain", 20))
raise SystemExit(serve(Serving("application:create", port=0, drain=drain, **options), ready))
"""


class Service:
    """A process that serves APPLICATION."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.folder = folder
        (folder / "application.py").write_text(APPLICATION)
        with (folder / "stderr").open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN, json.dumps(options)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # Its own group, so that whatever a failing test leaves can be found and ended.
                process_group=0,
            )

    def ready(self) -> Service:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready"), self.errors()
        host, port = json.loads(line.removeprefix("ready"))[0]
        self.address = (host, port)
        return self

    def connect(self) -> Wire:
        return Wire(socket.create_connection(self.address, timeout=PATIENCE))

    def who(self) -> tuple[int, int]:
        """Index and process of the worker that takes a new connection."""
        with self.connect() as wire:
            index, pid = wire.get("/").body.split()
            return int(index), int(pid)

    def everyone(self) -> dict[int, int]:
        """The process of each of two workers, by index, as many connections as it may take."""
        found: dict[int, int] = {}
        assert eventually(lambda: found.update([self.who()]) or len(found) == 2)
        return found

    def marks(self, what: str) -> list[list[str]]:
        path = self.folder / "marks"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split()[1:] for line in lines if line.startswith(what)]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def status(self) -> int:
        return self.process.wait(PATIENCE)

    def errors(self) -> str:
        return (self.folder / "stderr").read_text()

    def end(self) -> None:
        """End what a failing test may have left: this test's own process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


Serve = Callable[..., Service]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    services: list[Service] = []

    def started(**options: object) -> Service:
        services.append(Service(tmp_path, **options))
        return services[-1]

    yield started
    for service in services:
        service.end()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that nobody has waited for yet is dead all the same.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(serve: Serve, workers: int, number: int) -> None:
    service = serve(workers=workers).ready()
    assert service.who()[0] in range(workers)
    service.signal(number)
    assert service.status() == 0, service.errors()
    assert sorted(index for index, _ in service.marks("start")) == [str(index) for index in range(workers)]
    assert sorted(service.marks("stop")) == sorted(service.marks("start"))
    with pytest.raises(ConnectionRefusedError):
        service.connect()


def test_one_worker_is_this_very_process(serve: Serve) -> None:
    service = serve(workers=1).ready()
    assert service.who() == (0, service.process.pid)


def test_connections_reach_every_worker(serve: Serve) -> None:
    service = serve(workers=2).ready()
    found = service.everyone()
    assert sorted(found) == [0, 1]
    assert service.process.pid not in found.values()


def test_it_is_ready_when_every_worker_has_started(serve: Serve) -> None:
    service = serve(workers=3).ready()
    assert len(service.marks("start")) == 3


def test_a_worker_that_is_killed_is_replaced_under_its_index(serve: Serve) -> None:
    service = serve(workers=2).ready()
    before = service.everyone()
    os.kill(before[0], signal.SIGKILL)
    assert eventually(lambda: len(service.marks("start")) == 3)
    after = service.everyone()
    assert after[1] == before[1]
    assert after[0] != before[0]
    assert "worker 0 died with status -9" in service.errors()


def test_connections_to_a_killed_worker_wait_for_its_successor(serve: Serve) -> None:
    service = serve(workers=2).ready()
    before = service.everyone()
    os.kill(before[0], signal.SIGKILL)
    assert {service.who()[0] for _ in range(20)} == {0, 1}


def test_a_worker_that_cannot_start_again_is_tried_until_it_can(serve: Serve) -> None:
    service = serve(workers=2).ready()
    before = service.everyone()
    (service.folder / "broken").touch()
    os.kill(before[0], signal.SIGKILL)
    assert eventually(lambda: service.errors().count("worker 0 died") == 2)
    assert "again in 0.5 s" in service.errors()
    assert "again in 1.0 s" in service.errors()
    assert service.process.poll() is None
    (service.folder / "broken").unlink()
    assert eventually(lambda: len(service.marks("start")) == 3)
    assert service.everyone()[1] == before[1]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_application_that_does_not_start_is_told_by_the_status(serve: Serve, tmp_path: Path, workers: int) -> None:
    (tmp_path / "broken").touch()
    service = serve(workers=workers)
    assert service.status() != 0
    assert "this application does not start" in service.errors()
    assert service.process.stdout is not None
    assert service.process.stdout.read() == ""


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_under_way_is_answered_before_it_stops(serve: Serve, workers: int) -> None:
    service = serve(workers=workers).ready()
    with service.connect() as wire:
        wire.send(head("GET", "/slow"))
        assert eventually(lambda: bool(service.marks("slow")))
        service.signal(signal.SIGTERM)
        assert eventually(lambda: refuses(service))
        (service.folder / "go").touch()
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert service.status() == 0


def refuses(service: Service) -> bool:
    try:
        service.connect().sock.close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


@pytest.mark.parametrize("workers", [1, 2])
def test_a_body_that_does_not_end_is_cut_off_and_what_arrived_can_be_put_away(serve: Serve, workers: int) -> None:
    service = serve(workers=workers, drain=0).ready()
    with service.connect() as wire:
        wire.send(head("PATCH", "/body", "Content-Length: 1000"), b"all that comes")
        assert eventually(lambda: service.marks("body"))
        service.signal(signal.SIGTERM)
        assert service.status() == 0
    assert service.marks("parked")[0][0] == str(len("all that comes"))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_does_not_end_is_cancelled(serve: Serve, workers: int) -> None:
    service = serve(workers=workers, drain=1).ready()
    with service.connect() as wire:
        wire.send(head("GET", "/slow"))
        assert eventually(lambda: bool(service.marks("slow")))
        service.signal(signal.SIGTERM)
        assert service.status() == 0
        assert len(service.marks("stop")) == workers


def test_a_second_signal_ends_a_worker_that_does_not_listen(serve: Serve) -> None:
    service = serve(workers=2, drain=600).ready()
    pids = service.everyone().values()
    with service.connect() as wire:
        wire.send(head("GET", "/blocks"))
        assert eventually(lambda: bool(service.marks("blocks")))
        service.signal(signal.SIGTERM)
        assert eventually(lambda: len(service.marks("stop")) == 1)
        service.signal(signal.SIGTERM)
        assert service.status() == 0
    assert not any(is_alive(pid) for pid in pids)


def test_workers_leave_when_their_parent_is_killed(serve: Serve) -> None:
    service = serve(workers=2).ready()
    pids = service.everyone().values()
    service.signal(signal.SIGKILL)
    assert service.status() == -signal.SIGKILL
    assert eventually(lambda: not any(is_alive(pid) for pid in pids))
    assert len(service.marks("stop")) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_tls_is_served(serve: Serve, certificate: tuple[Path, Path], authority: trustme.CA, workers: int) -> None:
    cert, key = certificate
    service = serve(workers=workers, tls_cert=str(cert), tls_key=str(key)).ready()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = socket.create_connection(service.address)
    with Wire(context.wrap_socket(plain, server_hostname="registry.test")) as wire:
        assert isinstance(wire.sock, ssl.SSLSocket)
        assert wire.sock.selected_alpn_protocol() == "http/1.1"
        assert wire.get("/").status == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_a_certificate_that_cannot_be_read_is_an_error_before_anything_starts(
    serve: Serve, tmp_path: Path, workers: int
) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    service = serve(workers=workers, tls_cert=str(tmp_path / "bad.pem"), tls_key=str(tmp_path / "bad.pem"))
    assert service.status() == 1
    assert "ssl.SSLError" in service.errors()
    assert service.marks("start") == []


@pytest.mark.parametrize("workers", [1, 2])
def test_the_access_log_goes_to_standard_output(serve: Serve, workers: int) -> None:
    service = serve(workers=workers, access_log=True).ready()
    for _ in range(5):
        service.who()
    service.signal(signal.SIGTERM)
    assert service.status() == 0
    assert service.process.stdout is not None
    lines = [json.loads(line) for line in service.process.stdout]
    assert [(line["path"], line["status"]) for line in lines] == [("/", 200)] * 5


def test_no_access_log_unless_asked_for(serve: Serve) -> None:
    service = serve(workers=1).ready()
    service.who()
    service.signal(signal.SIGTERM)
    assert service.status() == 0
    assert service.process.stdout is not None
    assert service.process.stdout.read() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_event_loop_runs_is_not_lost(number: int) -> None:
    server = worker._Server(worker.Serving("nothing:here"), None, lambda: None)
    before = signal.getsignal(number)
    with worker._signals_to(server):
        signal.raise_signal(number)
    server.last_resort.cancel()
    assert server.should_exit
    assert signal.getsignal(number) is before


def test_the_only_process_there_is_has_index_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(worker.WORKER, raising=False)
    assert worker.worker_index() == 0
    monkeypatch.setenv(worker.WORKER, "3")
    assert worker.worker_index() == 3
