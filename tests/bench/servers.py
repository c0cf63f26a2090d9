"""Registries started for the run: each with a folder and a port of its own, stopped by pid when the run ends."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from tests.bench.processes import tree
from tests.bench.scenes import BARE, Ground
from tests.bench.target import OURS, Target

HOST = "127.0.0.1"
CONNECTIONS_TRIED = 16
START_WITHIN = STOP_WITHIN = 30.0  # seconds
CLOSED = (sys.executable, "-m", "registry", "serve", "--host", HOST, "--port", "{port}", "--data", "{data}")
COMMAND = (*CLOSED, "--open")
OUR_SETTINGS: Mapping[str, str] = {"REGISTRY_ACCESS_LOG": "false"}
PEER = "docker-registry serve {config}"
# As the peer's own documentation configures it, without its access log and its sweep of old uploads.
PEER_CONFIGURATION = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  cache: {{blobdescriptor: inmemory}}
  STORAGE
  delete: {{enabled: true}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
# The distribution registry 3 sends traces to a collector unless it is told not to.
PEER_SETTINGS = {"OTEL_TRACES_EXPORTER": "none"}


class NotServing(Exception):
    """A registry did not come up; its log is in the message."""


@dataclass(frozen=True, slots=True)
class Served:
    """A registry to be started: words and `configured` with `{port}`, `{data}` and `{config}` in them."""

    label: str
    words: Sequence[str]
    settings: Mapping[str, str]
    configured: str = ""
    authorization: str | None = None


@contextmanager
def our_registry(folder: Path, workers: int | None, ground: Ground = BARE) -> Iterator[Target]:
    """This tree's, open to everyone; with as many workers as it takes by itself, if none are named."""
    words = (*COMMAND, *(("--workers", str(workers)) if workers else ()))
    with running(Served(OURS, words, {**OUR_SETTINGS, **ground.ours}), folder) as target:
        yield target


@contextmanager
def peer_registry(command: str, folder: Path, ground: Ground = BARE) -> Iterator[Target]:
    """Another one, from a command with `{port}`, `{data}` and `{config}` (one for the distribution registry) in it."""
    words = shlex.split(command)
    label = Path(words[0]).name
    served = Served(label, words, PEER_SETTINGS, PEER_CONFIGURATION.replace("STORAGE", ground.peer()))
    with running(served, folder) as target:
        yield target


@contextmanager
def running(served: Served, folder: Path) -> Iterator[Target]:
    """Started in this folder, and stopped in the end. Raises: NotServing."""
    words, settings = served.words, served.settings
    port, data, configuration = _free_port(), folder / "data", folder / "config.yml"
    data.mkdir(parents=True)
    configuration.write_text(served.configured.format(data=data, port=port))
    places = {"{port}": str(port), "{data}": str(data), "{config}": str(configuration)}
    # Both read these from the environment, and what the caller has there was meant for neither.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "AWS_"))}
    with folder.joinpath("log").open("wb") as log:
        process = subprocess.Popen(
            [_filled(word, places) for word in words], env={**inherited, **settings}, stdout=log, stderr=log
        )
    try:
        described = " ".join(
            [Path(words[0]).name, *words[1:], *(f"{name}={value}" for name, value in settings.items() if _told(name))]
        )
        target = Target(
            served.label, HOST, port, served.authorization, (process.pid,), storage=data, described=described
        )
        _wait(target, process, folder / "log")
        yield target
    finally:
        _stop(process)


def _told(setting: str) -> bool:
    """Where things lie on this machine is nobody's concern, and is different each time."""
    hidden = ("REGISTRY_S3_", "REGISTRY_DATABASE", "REGISTRY_KEY_FILE", "REGISTRY_ADMIN_PASSWORD")
    return not setting.startswith(hidden) or setting.endswith("_REDIRECT")


def _filled(word: str, places: dict[str, str]) -> str:
    for place, value in places.items():
        word = word.replace(place, value)
    return word


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait(target: Target, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until `/v2/` answers on each of many connections: no worker is still starting. Raises: NotServing."""
    until = time.monotonic() + START_WITHIN
    while time.monotonic() < until and process.poll() is None:
        if all(_answers(target) for _ in range(CONNECTIONS_TRIED)):
            return
        time.sleep(0.05)
    raise NotServing(f"{target.label} does not serve: {log.read_text(errors='replace')[-2000:]}")


def _answers(target: Target) -> bool:
    connection = target.connect()
    try:
        connection.request("GET", "/v2/", headers=target.headers)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; if it does not, end it and the workers it leaves."""
    workers = tree([process.pid])
    process.terminate()
    try:
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        process.wait()
