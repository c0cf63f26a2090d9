"""The clients over TLS, with a certificate they can check and without.

Docker trusts whatever answers in 127.0.0.0/8, so it is given the address of its own bridge instead.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.images import tiny_image
from tests.support.layout import contents, read_layout, write_layout
from tests.support.server import RunningServer
from tests.support.tls import Certificate
from tests.system.command import Command
from tests.system.deployments import elsewhere
from tests.system.docker_images import build, layer, pull_anew, push
from tests.system.dockerd import Dockerd
from tests.system.reading import Registry

UNKNOWN_AUTHORITY = "certificate signed by unknown authority"


@pytest.fixture(scope="module")
def secure(dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with a certificate, on every address of this host because docker must not come by loopback."""
    certificate = Certificate.make(tmp_path_factory.mktemp("tls"), dockerd.bridge_address)
    data = tmp_path_factory.mktemp("secure") / "data"
    with RunningServer(data, tls=certificate, workers=2, arguments=("--host", "0.0.0.0")) as server:
        yield Registry(f"{dockerd.bridge_address}:{server.port}", server.admin, certificate.authority)


@pytest.fixture
def trusting(dockerd: Dockerd, secure: Registry, tmp_path: Path) -> Command:
    """A docker that trusts the authority and has logged in."""
    assert secure.authority is not None
    dockerd.trust(secure.host, secure.authority)
    client = dockerd.client(tmp_path / "docker")
    name, password = secure.credentials or ("", "")
    client("login", "--username", name, "--password-stdin", secure.host, stdin=password.encode())
    return client


@pytest.fixture
def authority_folder(secure: Registry, tmp_path: Path) -> str:
    """A folder as skopeo and podman take it with `--cert-dir`."""
    assert secure.authority is not None
    folder = tmp_path / "certificates"
    folder.mkdir()
    shutil.copy(secure.authority, folder / "ca.crt")
    return str(folder)


def test_docker_refuses_a_certificate_it_cannot_check(dockerd: Dockerd, secure: Registry, tmp_path: Path) -> None:
    stranger = f"{secure.host}/system/tls:1"
    assert UNKNOWN_AUTHORITY in dockerd.client(tmp_path).refused("pull", stranger).text


def test_docker_pushes_and_pulls_over_tls(trusting: Command, secure: Registry, repository: str) -> None:
    name = f"{secure.host}/{repository}:1"
    made = build(trusting, name, layer(repository, 3_000_000), layer(f"{repository}/2"))
    digest = push(trusting, name)
    assert secure.digest(repository, "1") == digest
    assert pull_anew(trusting, name) == made


def test_docker_is_refused_over_tls_without_login(
    trusting: Command, dockerd: Dockerd, secure: Registry, repository: str, tmp_path: Path
) -> None:
    name = f"{secure.host}/{repository}:1"
    build(trusting, name, layer(repository))
    said = dockerd.client(tmp_path / "stranger").refused("push", name).text
    assert "unauthorized" in said or "denied" in said


@elsewhere
def test_skopeo_copies_in_and_out_over_tls(
    skopeo: Command, secure: Registry, repository: str, authority_folder: str, tmp_path: Path
) -> None:
    image = tiny_image(repository, layers=2, layer_size=400_000)
    layout = write_layout(tmp_path / "in", {"1": image})
    at, who = f"docker://{secure.host}/{repository}:1", ":".join(secure.credentials or ())
    assert UNKNOWN_AUTHORITY in skopeo.refused("copy", "--dest-creds", who, f"oci:{layout}:1", at).text
    skopeo("copy", "--dest-cert-dir", authority_folder, "--dest-creds", who, f"oci:{layout}:1", at)
    skopeo("copy", "--src-cert-dir", authority_folder, "--src-creds", who, at, f"oci:{tmp_path / 'out'}:1")
    assert secure.contents(repository, "1") == contents(image) == read_layout(tmp_path / "out")


@elsewhere
def test_podman_pulls_over_tls(
    podman: Command, skopeo: Command, secure: Registry, repository: str, authority_folder: str, tmp_path: Path
) -> None:
    image = tiny_image(repository)
    layout = write_layout(tmp_path / "in", {"1": image})
    name, who = f"{secure.host}/{repository}:1", ":".join(secure.credentials or ())
    skopeo("copy", "--dest-cert-dir", authority_folder, "--dest-creds", who, f"oci:{layout}:1", f"docker://{name}")
    pulled = podman("pull", "--quiet", "--cert-dir", authority_folder, "--creds", who, name).output.strip()
    assert f"sha256:{pulled}" == image.config.digest
