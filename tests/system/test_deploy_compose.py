"""deploy/compose/ started as its head tells, with real containers; only the images are stand-ins (see stand_ins)."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.server import PROJECT, free_port
from tests.system.command import Command, bare_environment
from tests.system.docker_images import Known, build, layer, pull_anew, push
from tests.system.dockerd import Dockerd
from tests.system.require import require_programs
from tests.system.stand_ins import StandIns
from tests.system.waiting import eventually

pytestmark = pytest.mark.timeout(600)

REPLICAS = ("registry-1", "registry-2")
SERVING = {*REPLICAS, "proxy", "postgres", "s3"}
TASKS = {"migrate", "bucket"}
# Longer than the intervals of all health checks that wait for each other.
HEALTHY_WITHIN = 90.0


@dataclass(frozen=True)
class Installation:
    """What `up` has started: its compose command, and a docker that trusts its certificate and has logged in."""

    compose: Command
    docker: Command
    host: str
    certificate: Path

    def up(self) -> None:
        started = self.compose.run("up", "--detach")
        assert started.code == 0, f"{started}\n{self.compose('logs', '--no-color', '--tail=20').text}"
        eventually("all are healthy", lambda: set(self.states(*SERVING).values()) == {"healthy"}, HEALTHY_WITHIN)

    def container(self, service: str) -> dict[str, Any]:
        """What docker tells of it."""
        (name,) = self.compose("ps", "--quiet", service).output.split()
        found: dict[str, Any] = json.loads(self.docker("container", "inspect", name).output)[0]
        return found

    def states(self, *services: str) -> dict[str, str]:
        """How its own check finds each."""
        return {name: self.container(name)["State"]["Health"]["Status"] for name in services}


@pytest.fixture(scope="module")
def installation(dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    require_programs("docker-compose", "docker-proxy", "openssl")
    root = tmp_path_factory.mktemp("compose")
    folder, docker = _copy(root / "project") / "deploy" / "compose", dockerd.client(root / "docker")
    host = f"{dockerd.bridge_address}:{free_port()}"
    password = _prepare(folder, host)
    _stand_in(StandIns(docker), folder)
    place = ("--project-directory", str(folder), "--file", str(folder / "compose.yaml"))
    made = Installation(Command(("docker-compose", *place), docker.environment), docker, host, folder / "tls/cert.pem")
    dockerd.trust(host, made.certificate)
    try:
        made.compose("build")
        made.up()
        docker("login", "--username", "admin", "--password-stdin", host, stdin=password.encode())
        yield made
    finally:
        made.compose.run("down", "--volumes", "--timeout", "10")


@pytest.fixture(scope="module")
def pushed(installation: Installation) -> tuple[str, Known]:
    """An image in it, of a layer of more than one part, so that it was in the store before it was whole."""
    name = f"{installation.host}/library/pushed:1"
    made = build(installation.docker, name, layer("small"), layer("large", 20 << 20))
    push(installation.docker, name)
    return name, made


def _copy(project: Path) -> Path:
    """What an operator has checked out: no secrets of his come into ours."""
    for path in ("pyproject.toml", "requirements.lock", "README.md", "LICENSE", "Dockerfile", ".dockerignore"):
        project.mkdir(exist_ok=True)
        shutil.copy(PROJECT / path, project)
    for path in ("registry", "migrations", "deploy"):
        leave = shutil.ignore_patterns("__pycache__", ".env", "tls", "secret.yaml")
        shutil.copytree(PROJECT / path, project / path, ignore=leave)
    return project


def _prepare(folder: Path, host: str) -> str:
    """As the head of the file says, for this machine's address; the administrator's password."""
    head = (folder / "compose.yaml").read_text().partition("\nx-settings:")[0]
    (commands,) = re.findall(r"^#   # once:.*?\n((?:#   .+\n)+)", head, re.MULTILINE)
    script = re.sub(r"^#   ", "", commands, flags=re.MULTILINE)
    script, count = re.subn(r"IP:127\.0\.0\.1", rf"\g<0>,IP:{host.partition(':')[0]}", script)
    assert count == 1
    command = ("sh", "-e", "-c", script)
    subprocess.run(command, cwd=folder, env=bare_environment({}), check=True, capture_output=True)
    with (folder / ".env").open("a") as file:
        file.write(f"PUBLIC_URL=https://{host}\nPORT={host.partition(':')[2]}\n")
    made = re.search(r"^ADMIN_PASSWORD=(\S+)$", (folder / ".env").read_text(), re.MULTILINE)
    assert made is not None
    return made[1]


def _stand_in(stand_ins: StandIns, folder: Path) -> None:
    """One for each image that the file names and nobody builds."""
    makers = {"nginx": stand_ins.nginx, "postgres": stand_ins.postgres, "chrislusf/seaweedfs": stand_ins.store}
    names = set(re.findall(r"^ +image: ([a-z/]+:\S+)$", (folder / "compose.yaml").read_text(), re.MULTILINE))
    assert {name.partition(":")[0] for name in names} == makers.keys()
    stand_ins.python()
    for name in sorted(names):
        makers[name.partition(":")[0]](name)


def test_everything_is_healthy_and_the_tasks_have_ended_well(installation: Installation) -> None:
    assert set(installation.states(*SERVING).values()) == {"healthy"}
    assert installation.container("worker")["State"]["Status"] == "running"
    for name in TASKS:
        state = installation.container(name)["State"]
        assert (state["Status"], state["ExitCode"]) == ("exited", 0), name


def test_the_registry_runs_as_nobody_special(installation: Installation) -> None:
    for name in (*REPLICAS, "worker"):
        found = installation.container(name)
        assert found["Config"]["User"] == "5000:5000"
        assert found["HostConfig"]["ReadonlyRootfs"] is True
        assert found["HostConfig"]["Memory"] > 0


def test_only_who_trusts_the_certificate_is_served(installation: Installation) -> None:
    with httpx.Client(verify=ssl.create_default_context(cafile=str(installation.certificate)), trust_env=False) as http:
        assert http.get(f"https://{installation.host}/healthz").status_code == 200
        assert http.get(f"https://{installation.host}/v2/").status_code == 401
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://{installation.host}/healthz", trust_env=False)


def test_docker_gets_back_through_tls_what_it_pushed(installation: Installation, pushed: tuple[str, Known]) -> None:
    name, made = pushed
    assert pull_anew(installation.docker, name) == made


def test_docker_gets_its_image_from_the_other_replica_when_one_is_stopped(
    installation: Installation, pushed: tuple[str, Known]
) -> None:
    name, made = pushed
    installation.compose("stop", "registry-1")
    assert pull_anew(installation.docker, name) == made
    # Made anew it may have another address, which the proxy has to learn.
    installation.compose("rm", "--force", "registry-1")
    installation.compose("up", "--detach", "--no-deps", "registry-1")
    eventually("it is healthy", lambda: installation.states("registry-1") == {"registry-1": "healthy"}, HEALTHY_WITHIN)
    installation.compose("stop", "registry-2")
    assert pull_anew(installation.docker, name) == made


def test_what_was_pushed_outlives_the_containers(installation: Installation, pushed: tuple[str, Known]) -> None:
    name, made = pushed
    installation.compose("down")
    installation.up()
    # With the login of before: the passwords are in the database, and the key that seals its tokens is on a volume.
    assert pull_anew(installation.docker, name) == made
