"""docker for people and robots: signing in, what was granted and nothing else, and the words in which it is refused."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.core.facts import CredentialKind
from tests.support.registrar import PASSWORD, Login
from tests.system.command import Outcome
from tests.system.docker_images import build, layer, pull_anew, push
from tests.system.dockerd import Dockerd
from tests.system.people import Town, kept_of, sign_in, town
from tests.system.waiting import eventually

DENIED = "denied: requested access to the resource is denied"
SIGN_INS = ("password", "personal token", "robot")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("people") / "data") as place:
        yield place


@pytest.fixture
def project(request: pytest.FixtureRequest, repository: str) -> str:
    """A project of the test's own; what it is called, a user may be called too."""
    return repository.rpartition("/")[2][:60].strip("-")


@pytest.fixture(params=SIGN_INS)
def login(request: pytest.FixtureRequest, place: Town, project: str) -> Login:
    """Somebody new, in each way to sign in."""
    if request.param == "robot":
        return place.people.robot(project, "ci")
    user = place.people.user(project)
    return user if request.param == "password" else place.people.token(project)


def is_refused_at_once(said: Outcome, words: str) -> bool:
    """In these words, and docker did not try again: any other code has it upload each layer five times."""
    assert words in said.text, said
    assert "Retrying" not in said.text, said
    return True


def test_docker_does_what_was_granted_however_it_signed_in(
    dockerd: Dockerd, place: Town, project: str, login: Login, tmp_path: Path
) -> None:
    place.people.grant(login[0], f"{project}/app", "writer")
    docker = place.docker(dockerd, tmp_path / "docker", login)
    own, other = f"{place.host}/{project}/app:1", f"{place.host}/{project}/other:1"
    made = build(docker, own, layer(project))
    push(docker, own)
    assert pull_anew(docker, own) == made
    docker("tag", own, other)
    assert is_refused_at_once(docker.refused("push", other), DENIED)
    assert is_refused_at_once(docker.refused("pull", other), DENIED)
    with place.client() as admin:
        assert admin.tags(f"{project}/other").status_code == 404


def test_what_the_command_hands_out_is_what_docker_takes(
    dockerd: Dockerd, place: Town, project: str, tmp_path: Path
) -> None:
    """From a robot that is made on the command line to its last push, while the server runs."""
    made = place.entrepot(f"robot add {project} ci --grant", f"writer {project}/**")
    docker = dockerd.client(tmp_path)
    name = f"{place.host}/{project}/app:1"
    build(docker, name, layer(project))
    login = made["login"].removeprefix("docker ").split()
    assert "Login Succeeded" in docker(*login, "--password-stdin", stdin=made["secret"].encode()).text
    push(docker, name)
    place.entrepot(f"grant add {made['name']} push {project}/app --deny")
    assert is_refused_at_once(docker.refused("push", name), DENIED)
    place.entrepot(f"grant remove {made['name']} {project}/app --deny")
    push(docker, name)
    place.entrepot(f"robot disable {made['name']}")
    assert is_refused_at_once(docker.refused("push", name), "unauthorized: ")


def test_docker_pulls_what_it_may_not_push(
    dockerd: Dockerd, place: Town, project: str, login: Login, tmp_path: Path
) -> None:
    place.people.grant(login[0], f"{project}/**", "reader")
    name = f"{place.host}/{project}/app:1"
    admin = place.docker(dockerd, tmp_path / "admin", place.server.admin)
    made = build(admin, name, layer(project))
    push(admin, name)
    docker = place.docker(dockerd, tmp_path / "docker", login)
    assert pull_anew(docker, name) == made
    build(docker, name, layer(f"{project}/changed"))
    assert is_refused_at_once(docker.refused("push", name), DENIED)
    eventually("the log tells of it", lambda: refused_uploads(place, f"{project}/app"))
    assert len(refused_uploads(place, f"{project}/app")) == 1


def test_docker_is_told_that_a_repository_is_there_as_little_as_that_it_is_not(
    dockerd: Dockerd, place: Town, project: str, tmp_path: Path
) -> None:
    admin = place.docker(dockerd, tmp_path / "admin", place.server.admin)
    build(admin, f"{place.host}/{project}/there:1", layer(project))
    push(admin, f"{place.host}/{project}/there:1")
    for who in (place.people.user(project), None):
        docker = place.docker(dockerd, tmp_path / str(bool(who)), who)
        said = [docker.refused("pull", f"{place.host}/{project}/{name}:1").text for name in ("there", "other")]
        assert said[0].replace("/there", "/other") == said[1]
        assert DENIED in said[0] if who else "unauthorized: authentication required" in said[0]


def test_a_tag_may_be_added_and_not_moved(dockerd: Dockerd, place: Town, project: str, tmp_path: Path) -> None:
    """What only adds tags can be given to a robot: a release stays what it was."""
    robot = place.people.robot(project, "release")
    place.people.grant(robot[0], f"{project}/**", "creator")
    docker = place.docker(dockerd, tmp_path / "docker", robot)
    first, second = (f"{place.host}/{project}/app:{number}" for number in (1, 2))
    build(docker, first, layer(project))
    digest = push(docker, first)
    assert push(docker, first) == digest
    build(docker, first, layer(f"{project}/changed"))
    assert is_refused_at_once(docker.refused("push", first), "denied: the tag is there already, and may not be moved")
    with place.client() as admin:
        assert admin.manifest(f"{project}/app", "1").headers["docker-content-digest"] == digest
    docker("tag", first, second)
    assert push(docker, second) != digest


def test_docker_keeps_an_identity_token_and_no_password(
    dockerd: Dockerd, place: Town, project: str, login: Login, tmp_path: Path
) -> None:
    place.people.grant(login[0], f"{project}/**", "writer")
    docker = place.docker(dockerd, tmp_path, login)
    _, password, identity_token = kept_of(tmp_path, place.host)
    assert (password, identity_token[:5]) == ("", "entr_")
    assert login[1] not in (tmp_path / "config.json").read_text()
    name = f"{place.host}/{project}/app:1"
    made = build(docker, name, layer(project))
    push(docker, name)
    assert pull_anew(docker, name) == made
    docker("logout", place.host)
    assert is_refused_at_once(docker.refused("push", name), "unauthorized: authentication required")


@pytest.mark.parametrize("end", ["password", "personal token", "disabled", "refresh token", "robot"])
def test_what_docker_keeps_ends_with_what_it_was_given_for(
    dockerd: Dockerd, place: Town, project: str, end: str, tmp_path: Path
) -> None:
    people = place.people
    login = people.robot(project, "ci") if end == "robot" else people.user(project)
    people.grant(login[0], f"{project}/**", "writer")
    shown = people.token(project) if end == "personal token" else login
    docker = place.docker(dockerd, tmp_path, shown)
    name = f"{place.host}/{project}/app:1"
    build(docker, name, layer(project))
    push(docker, name)
    ends: dict[str, Callable[[], object]] = {
        "password": lambda: people.set_password(project, "another horse battery"),
        "personal token": lambda: people.revoke(project),
        "disabled": lambda: people.disable(project),
        "refresh token": lambda: people.revoke(project, CredentialKind.REFRESH),
        "robot": lambda: people.expire(login[0]),
    }
    ends[end]()
    assert is_refused_at_once(docker.refused("push", name), "unauthorized: ")
    assert is_refused_at_once(docker.refused("pull", name), "unauthorized: ")
    if end == "password":
        assert "Login Succeeded" in sign_in(docker, place.host, (project, "another horse battery")).text
        push(docker, name)


@pytest.mark.parametrize("wrong", ["password", "name", "robot", "token of another", "session"])
def test_docker_login_says_no_in_one_way(
    dockerd: Dockerd, place: Town, project: str, wrong: str, tmp_path: Path
) -> None:
    user, robot = place.people.user(project), place.people.robot(project, "ci")
    login = {
        "password": (user[0], "wrong"),
        "name": ("nobody", PASSWORD),
        "robot": (robot[0], robot[1][:-1] + ("a" if robot[1][-1] != "a" else "b")),
        "token of another": (user[0], robot[1]),
        "session": (user[0], "ents_" + "a" * 42),
    }[wrong]
    said = sign_in(dockerd.client(tmp_path), place.host, login)
    assert said.code != 0
    assert "unauthorized: incorrect username or password" in said.text
    assert not (tmp_path / "config.json").exists()


def test_docker_mounts_what_it_may_pull_and_uploads_what_it_may_not(
    dockerd: Dockerd, place: Town, project: str, tmp_path: Path
) -> None:
    user = place.people.user(project)
    place.people.grant(project, f"{project}/**", "writer")
    docker = place.docker(dockerd, tmp_path, user)
    source, target, last = (f"{place.host}/{project}/{name}:1" for name in ("source", "target", "last"))
    made = build(docker, source, layer(project))
    push(docker, source)
    docker("tag", source, target)
    assert f"Mounted from {project}/source" in docker("push", target).text
    for name in ("source", "target"):
        place.people.deny(project, f"{project}/{name}", "pull")
    docker("tag", source, last)
    said = docker("push", last)
    assert "Mounted from" not in said.text
    assert "Pushed" in said.text
    assert pull_anew(docker, last) == made


def refused_uploads(place: Town, repository: str) -> list[str]:
    """Lines of the access log: uploads into the repository that were refused."""
    wanted = f'"POST","path":"/v2/{repository}/blobs/uploads/","status":403'
    return [line for line in place.server.output().splitlines() if wanted in line]
