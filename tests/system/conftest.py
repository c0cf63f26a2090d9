"""The registry and the clients that these tests share.

SYSTEM_URL=http://host:port runs the client tests against another registry, which must let everybody push.
"""

import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.evidence import pytest_runtest_makereport, pytest_runtest_setup
from tests.support.postgres import postgres_server
from tests.support.replicas import store_settings
from tests.support.s3 import s3_server
from tests.support.server import RunningServer, Setting
from tests.system.command import Command
from tests.system.deployments import DEPLOYMENTS
from tests.system.dockerd import DaemonDidNotStart, Dockerd, private_dockerd
from tests.system.reading import Registry
from tests.system.require import require, require_programs, require_root

HERE = Path(__file__).parent
AS_ROOT = {"dockerd", "store", "disk"}

__all__ = ["pytest_runtest_makereport", "pytest_runtest_setup", "s3_server"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here, and mark as well what needs to be root for the fixtures it takes."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.system)
            if AS_ROOT.intersection(getattr(item, "fixturenames", ())):
                item.add_marker(pytest.mark.root)


@pytest.fixture(scope="session", params=DEPLOYMENTS)
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The registry under test, over each database and each store: two workers, one admin, over plain HTTP."""
    if other := os.environ.get("SYSTEM_URL"):
        if request.param != DEPLOYMENTS[0]:
            pytest.skip("the registry under test is what it is")
        yield Registry(urlsplit(other).netloc)
        return
    database, store = request.param.split(" and ")
    folder = tmp_path_factory.mktemp("registry")
    settings: dict[str, Setting] = {}
    with ExitStack() as stack:
        if store == "S3":
            # Blobs are redirected, as they are unless the operator says no.
            settings |= store_settings(request.getfixturevalue("s3_server"))
        if database == "PostgreSQL":
            settings |= {"database": stack.enter_context(postgres_server().database())}
            (folder / "key").write_bytes(secrets.token_bytes(32))
            (folder / "key").chmod(0o600)
            settings |= {"key_file": folder / "key"}
        server = stack.enter_context(RunningServer(folder / "data", settings, workers=2))
        yield Registry(server.host, server.admin)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server to hurt: open to everybody, two workers, a sweeper in a hurry."""
    settings: dict[str, str | bool] = {"open": True, "delete_delay": "1s", "sweep_interval": "200ms"}
    with RunningServer(tmp_path / "data", settings, workers=2) as server:
        yield server
    # pytest keeps the folders of the last runs; gigabytes of random bytes are not worth keeping.
    shutil.rmtree(server.data)


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses."""
    words: str = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    return f"system/{words[:80].strip('-')}"


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Dockerd]:
    require_programs("docker", "dockerd", "containerd", "ip", "unshare")
    require_root("a docker daemon")
    try:
        with private_dockerd() as daemon:
            yield daemon
    except DaemonDidNotStart as error:
        require(condition=False, reason=f"dockerd does not start here: {error}")


@pytest.fixture(scope="session")
def docker(dockerd: Dockerd, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The docker command of somebody who has logged in."""
    docker = dockerd.client(tmp_path_factory.mktemp("docker"))
    if registry.credentials:
        name, password = registry.credentials
        docker("login", "--username", name, "--password-stdin", registry.host, stdin=password.encode())
    return docker


@pytest.fixture(scope="session")
def containers(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of skopeo, podman and buildah, once logged in to the registry."""
    require_programs("skopeo")
    home = tmp_path_factory.mktemp("containers")
    environment = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "REGISTRY_AUTH_FILE": str(home / "auth.json"),
    }
    (home / "auth.json").write_text("{}")
    if registry.credentials:
        name, password = registry.credentials
        login = Command(("skopeo", "login", "--tls-verify=false"), environment)
        login("--username", name, "--password-stdin", registry.host, stdin=password.encode())
    return environment


@pytest.fixture(scope="session")
def skopeo(containers: dict[str, str]) -> Command:
    return Command(("skopeo",), containers)


@pytest.fixture
def store() -> Iterator[Path]:
    """An empty folder for podman's or buildah's images; podman refuses one whose path has more than 50 characters."""
    require_root("a store of container images")
    folder = Path(tempfile.mkdtemp(prefix="store-"))
    yield folder
    _unmount_below(folder)
    shutil.rmtree(folder)


@pytest.fixture
def podman(containers: dict[str, str], store: Path) -> Command:
    """Podman with an empty store of its own, on the plainest storage driver there is."""
    require_programs("podman", "runc")
    places = ("--root", str(store / "podman"), "--runroot", str(store / "run"), "--tmpdir", str(store / "tmp"))
    how = ("--storage-driver", "vfs", "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none")
    return Command(("podman", *places, *how), containers)


@pytest.fixture
def buildah(containers: dict[str, str], store: Path) -> Command:
    """Buildah with an empty store of its own."""
    require_programs("buildah")
    places = ("--root", str(store / "buildah"), "--runroot", str(store / "run"))
    return Command(("buildah", *places, "--storage-driver", "vfs"), containers)


def _unmount_below(folder: Path) -> None:
    """A container store may bind-mount itself; the folder must be free to be removed."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((mount for mount in mounts if mount.startswith(f"{folder}/")), reverse=True):
        subprocess.run(("umount", mount), check=False)
