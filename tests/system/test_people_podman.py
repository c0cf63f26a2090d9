"""podman and skopeo for robots and people: their own logins, and what docker keeps of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.images import tiny_image
from tests.support.layout import write_layout
from tests.support.registrar import Login
from tests.system.command import Command
from tests.system.deployments import elsewhere
from tests.system.dockerd import Dockerd
from tests.system.people import Town, kept_of, sign_in, town
from tests.system.require import require_programs

AT, INTO, FROM = "--tls-verify=false", "--dest-tls-verify=false", "--src-tls-verify=false"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("people") / "data") as place:
        yield place


@pytest.fixture
def project(repository: str) -> str:
    """A project of the test's own."""
    return repository.rpartition("/")[2][:60].strip("-")


@pytest.fixture
def robot(place: Town, project: str) -> Login:
    """One that writes to its project's app, and to nothing else."""
    robot = place.people.robot(project, "ci")
    place.people.grant(robot[0], f"{project}/app", "writer")
    return robot


def skopeo_with(authfile: Path, home: Path) -> Command:
    """skopeo as somebody runs it who keeps logins in this file."""
    require_programs("skopeo")
    return Command(("skopeo",), {"HOME": str(home), "TMPDIR": str(home), "REGISTRY_AUTH_FILE": str(authfile)})


def copies_as_granted(skopeo: Command, place: Town, project: str, folder: Path) -> None:
    """Into its own repository and out of it again; into no other, and out of none."""
    layout = write_layout(folder / "in", {"1": tiny_image(project)})
    own, other = (f"docker://{place.host}/{project}/{name}:1" for name in ("app", "other"))
    skopeo("copy", INTO, f"oci:{layout}:1", own)
    skopeo("copy", FROM, own, f"oci:{folder / 'out'}:1")
    # The library of both asks by HEAD first, whose answer has no words: these are its own.
    assert "403 (Forbidden)" in skopeo.refused("copy", INTO, f"oci:{layout}:1", other).text
    assert "requested access to the resource is denied" in skopeo.refused("inspect", AT, other).text


def test_skopeo_signs_in_as_a_robot(place: Town, project: str, robot: Login, tmp_path: Path) -> None:
    skopeo = skopeo_with(tmp_path / "auth.json", tmp_path)
    assert "Login Succeeded!" in sign_in(skopeo, place.host, robot, AT).text
    copies_as_granted(skopeo, place, project, tmp_path)
    place.people.expire(robot[0])
    assert "unauthorized" in skopeo.refused("inspect", AT, f"docker://{place.host}/{project}/app:1").text


def test_skopeo_goes_by_what_docker_keeps(
    dockerd: Dockerd, place: Town, project: str, robot: Login, tmp_path: Path
) -> None:
    """An identity token in docker's config.json, and no password."""
    place.docker(dockerd, tmp_path / "docker", robot)
    assert kept_of(tmp_path / "docker", place.host)[1] == ""
    copies_as_granted(skopeo_with(tmp_path / "docker" / "config.json", tmp_path), place, project, tmp_path)


@elsewhere
def test_podman_signs_in_as_a_robot(podman: Command, place: Town, project: str, robot: Login, tmp_path: Path) -> None:
    kept = ("--authfile", str(tmp_path / "auth.json"))
    assert "Login Succeeded!" in sign_in(podman, place.host, robot, AT, *kept).text
    pushes_as_granted(podman, place, project, tmp_path, kept)


@elsewhere
def test_podman_goes_by_what_docker_keeps(
    podman: Command, dockerd: Dockerd, place: Town, project: str, robot: Login, tmp_path: Path
) -> None:
    place.docker(dockerd, tmp_path / "docker", robot)
    kept = ("--authfile", str(tmp_path / "docker" / "config.json"))
    pushes_as_granted(podman, place, project, tmp_path, kept)


@elsewhere
def test_podman_login_is_refused_with_the_secret_of_another(
    podman: Command, place: Town, project: str, robot: Login, tmp_path: Path
) -> None:
    login = (place.people.robot(project, "other")[0], robot[1])
    said = sign_in(podman, place.host, login, AT, "--authfile", str(tmp_path / "auth.json"))
    assert "invalid username/password" in said.text


def pushes_as_granted(podman: Command, place: Town, project: str, folder: Path, kept: tuple[str, ...]) -> None:
    """Into its own repository and out of it again, and into no other."""
    layout = write_layout(folder / "in", {"1": tiny_image(project)})
    image = podman("pull", "--quiet", f"oci:{layout}:1").output.strip()
    own, other = (f"{place.host}/{project}/{name}:1" for name in ("app", "other"))
    podman("push", AT, *kept, image, own)
    podman("image", "rm", "--force", image)
    assert podman("pull", AT, "--quiet", *kept, own).output.strip() == image
    assert "403 (Forbidden)" in podman.refused("push", AT, *kept, image, other).text
    assert "requested access to the resource is denied" in podman.refused("pull", AT, *kept, other).text
