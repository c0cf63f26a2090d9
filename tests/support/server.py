"""A registry started as its operator starts it: a process of its own, reached over a socket.

with RunningServer(tmp_path / "data", {"open": True}) as server:
    httpx.get(f"{server.url}/v2/")
    server.kill()       # every process at once, as a power cut would; the folder stays
    server.start()      # the same port, the same folder
"""

import contextlib
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.support.tls import Certificate

PROJECT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
READY_WITHIN = 30.0
GONE_WITHIN = 20.0

Setting = str | int | float | bool | Path

# A failing test shows what every server of this process has said meanwhile (tests/support/evidence.py).
_servers: "weakref.WeakSet[RunningServer]" = weakref.WeakSet()


class ServerFailed(RuntimeError):
    """The server left, or never became ready; the message ends with what it printed."""


class RunningServer:
    """`entrepot serve` on a free loopback port, over one data folder; a process group of its own."""

    def __init__(
        self,
        data: Path,
        settings: Mapping[str, Setting] | None = None,
        *,
        workers: int = 1,
        tls: Certificate | None = None,
        port: int | None = None,
        arguments: Sequence[str] = (),
        program: str = "registry",
    ) -> None:
        self.data = data
        self.tls = tls
        self.workers = workers
        self.port = port or free_port()
        self.settings = {"admin_password": "correct horse", "log_format": "json", **(settings or {})}
        self.arguments = tuple(arguments)
        self._program = program
        self.log = data.with_name(f"{data.name}.{self.port}.log")
        self._process: subprocess.Popen[bytes] | None = None
        _servers.add(self)

    @property
    def host(self) -> str:
        """`address:port`, as in an image's name; the certificate names it too."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """Scheme and host, without a trailing slash."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    @property
    def admin(self) -> tuple[str, str]:
        """Name and password of the administrator."""
        return "admin", str(self.settings["admin_password"])

    @property
    def pid(self) -> int:
        """The leader of the process group; the workers are its children."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether the leader is there; a server that was never started is not."""
        return self._process is not None and self._process.poll() is None

    def output(self, since: int = 0) -> str:
        """What it printed, from byte `since` of its log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    def http(self, **options: object) -> httpx.Client:
        """A client that trusts this server, speaks to nobody else's proxy and follows no redirect unless told."""
        given: dict[str, object] = {"base_url": self.url, "verify": self._trust(), "trust_env": False, "timeout": 30}
        return httpx.Client(**{**given, **options})  # type: ignore[arg-type]  # httpx spells out twenty keywords

    def start(self) -> Self:
        """Start and wait until `/healthz` answers 200. Raises: ServerFailed."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> int:
        """SIGTERM to the leader, as an operator's supervisor does, and wait; its exit status. Raises: ServerFailed."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        in_time = _leaves(process.pid, GONE_WITHIN)
        self.kill()
        if not in_time:
            message = f"the server did not leave within {GONE_WITHIN:.0f} s of SIGTERM\n{self.output()}"
            raise ServerFailed(message)
        return process.returncode

    def kill(self) -> None:
        """SIGKILL to the whole group; nothing happens when it is gone already."""
        if self._process is None or self._process.returncode is not None:
            return
        # The leader is not yet waited for, so its number, which is the group's, cannot be anybody else's.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def restart(self) -> Self:
        """Stop in good order and start again on the same port and folder."""
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        return self if self.alive else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def _command(self) -> list[str]:
        options = ["--host", HOST, "--port", str(self.port), "--data", str(self.data), "--workers", str(self.workers)]
        if self.tls:
            options += ["--tls-cert", str(self.tls.certificate), "--tls-key", str(self.tls.key)]
        return [sys.executable, "-m", self._program, "serve", *options, *self.arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The caller's, rid of settings that a developer's shell may hold, with this server's own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
        return inherited | {"PYTHONUNBUFFERED": "1"} | settings_as_environment(self.settings)

    def _trust(self) -> ssl.SSLContext:
        return self.tls.trust() if self.tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            message = "the server has not been started"
            raise ServerFailed(message)
        return self._process

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        with self.http(timeout=2) as http:
            while time.monotonic() < deadline:
                if not self.alive:
                    message = f"the server left with status {self._running().returncode}\n{self.output()}"
                    raise ServerFailed(message)
                with contextlib.suppress(httpx.TransportError):
                    if http.get("/healthz").status_code == httpx.codes.OK:
                        return
                time.sleep(0.02)
        message = f"the server was not ready within {READY_WITHIN:.0f} s\n{self.output()}"
        raise ServerFailed(message)


def known_servers() -> list[RunningServer]:
    """Every server this process has made and still refers to, running or not."""
    return sorted(_servers, key=lambda server: server.port)


def settings_as_environment(settings: Mapping[str, Setting]) -> dict[str, str]:
    """`{"open": True}` → `{"REGISTRY_OPEN": "true"}`."""
    return {f"REGISTRY_{name.upper()}": _as_text(value) for name, value in settings.items()}


def free_port() -> int:
    """A loopback port that the kernel says is free; nobody holds it, so take it soon."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def _as_text(value: Setting) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _leaves(pid: int, within: float) -> bool:
    """Whether our child `pid` ends in time; it is left to be waited for."""
    watched = os.pidfd_open(pid)
    try:
        return bool(select.select([watched], [], [], within)[0])
    finally:
        os.close(watched)
