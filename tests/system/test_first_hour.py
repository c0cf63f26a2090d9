"""The first hour of a newcomer: a fresh checkout, `make serve`, and then docker exactly as the server prints it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.server import PROJECT, free_port
from tests.system.docker_images import import_busybox, known
from tests.system.dockerd import Dockerd
from tests.system.require import require, require_programs
from tests.system.terminal import typed
from tests.system.waiting import eventually

INSTALLS_WITHIN = 300.0
STARTS_WITHIN = 30.0
NO_INDEX = re.compile(r"NewConnectionError|ConnectTimeout|NameResolutionError|Could not fetch URL")


@dataclass(frozen=True)
class Newcomer:
    """Somebody with a checkout, docker, and nothing else."""

    checkout: Path
    log: Path
    port: int
    environment: Mapping[str, str]

    @property
    def printed(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def docker_lines(self) -> list[str]:
        return re.findall(r"^\s+(docker .*)$", self.printed, re.MULTILINE)

    @contextlib.contextmanager
    def make_serve(self, within: float) -> Iterator[None]:
        """Type `make serve` and, at the end, Ctrl-C."""
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                ("make", "serve", f"PORT={self.port}"),
                cwd=self.checkout,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            eventually("the server is ready, or make has ended", lambda: process.poll() or self._ready(), within)
            require(not NO_INDEX.search(self.printed), "no package index can be reached")
            assert process.poll() is None, self.printed
            yield
            os.killpg(process.pid, signal.SIGINT)
            process.wait(STARTS_WITHIN)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _ready(self) -> bool:
        # Not by asking: one worker answers before all do, and the greeting waits for all.
        return "try next" in self.printed


@pytest.fixture
def newcomer(dockerd: Dockerd, tmp_path: Path) -> Newcomer:
    require_programs("git", "make", "python3")
    checkout = tmp_path / "checkout"
    _copy_what_git_knows(checkout)
    docker = dockerd.client(tmp_path / "docker")
    import_busybox(docker, "busybox")
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "VIRTUAL_ENV"))}
    return Newcomer(checkout, tmp_path / "log", free_port(), {**theirs, **docker.environment})


@pytest.mark.timeout(600)
def test_a_fresh_checkout_serves_what_docker_does_exactly_as_the_readme_prints_it(
    newcomer: Newcomer, dockerd: Dockerd, tmp_path: Path
) -> None:
    docker, host = dockerd.client(tmp_path / "docker"), f"127.0.0.1:{newcomer.port}"
    with newcomer.make_serve(INSTALLS_WITHIN):
        password = _found(r"password (\S+)", newcomer.printed)
        assert (newcomer.checkout / _found(r"data lies in (\S+)", newcomer.printed)).is_dir()
        assert _found(r"serves (\S+)", newcomer.printed) == f"http://{host}"
        told = _first_push_of_the_readme(host)
        assert [line for line in told if line in newcomer.docker_lines] == newcomer.docker_lines
        login, *others = told
        status, said = typed(login, newcomer.environment, {"Password:": password})
        assert (status, "Login Succeeded" in said) == (0, True), said
        busybox = known(docker, "busybox")
        for line in others:
            _typed_well(line, newcomer.environment)
        assert known(docker, f"{host}/library/busybox") == busybox
    with newcomer.make_serve(STARTS_WITHIN):
        assert password not in newcomer.printed
        docker("image", "rm", "--force", f"{host}/library/busybox")
        _typed_well(newcomer.docker_lines[-1], newcomer.environment)
        assert known(docker, f"{host}/library/busybox") == busybox


def _first_push_of_the_readme(host: str) -> list[str]:
    """What its reader types into a terminal, at the port of this run."""
    section = _found(r"(?s)\n## The first push\n(.*?)\n## ", (PROJECT / "README.md").read_text())
    typed_in = [line.removeprefix("$ ") for line in section.splitlines() if line.startswith("$ ")]
    assert [line.split()[:2] for line in typed_in[:1]] == [["docker", "login"]]
    return [line.replace("127.0.0.1:5000", host) for line in typed_in]


def _copy_what_git_knows(target: Path) -> None:
    """The checkout that a commit of everything here would give."""
    listed = subprocess.run(
        ("git", "-C", str(PROJECT), "ls-files", "-co", "-z", "--exclude-standard"), capture_output=True, check=False
    )
    require(listed.returncode == 0, "this is not a git checkout")
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, copy = PROJECT / name, target / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)


def _typed_well(line: str, environment: Mapping[str, str]) -> None:
    status, said = typed(line, environment, {})
    assert status == 0, f"$ {line}\n{said}"


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, f"{pattern} is nowhere in: {text}"
    return found[1]
