"""docker against the registry: log in, push, forget, pull, and get the same image back, digest by digest."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.support.images import DOCKER
from tests.system.command import Command
from tests.system.docker_images import build, import_busybox, known, layer, pull_anew, pulled_digests, push
from tests.system.dockerd import Dockerd
from tests.system.reading import Registry
from tests.system.require import require


def test_docker_login_succeeds_with_the_right_password(dockerd: Dockerd, registry: Registry, tmp_path: Path) -> None:
    require(registry.credentials, "the registry under test lets everybody in")
    said = dockerd.client(tmp_path)(*_login(registry), stdin=_password(registry))
    assert "Login Succeeded" in said.text


def test_docker_login_is_refused_with_a_wrong_password(dockerd: Dockerd, registry: Registry, tmp_path: Path) -> None:
    require(registry.credentials, "the registry under test lets everybody in")
    said = dockerd.client(tmp_path).refused(*_login(registry), stdin=_password(registry) + b"r")
    assert re.search(r"Error response from daemon: .*unauthorized", said.text, re.IGNORECASE)
    assert not (tmp_path / "config.json").exists()


def test_docker_gets_back_what_it_pushed(docker: Command, registry: Registry, repository: str) -> None:
    name = f"{registry.host}/{repository}:1"
    made = build(docker, name, layer(repository))
    digest = push(docker, name)
    assert registry.digest(repository, "1") == digest
    assert pull_anew(docker, name) == made
    assert pulled_digests(docker, name) == [digest]
    assert len(registry.contents(repository, digest)) == len({made.config_digest, digest, *made.diff_ids})


def test_docker_pulls_an_imported_root_file_system(docker: Command, registry: Registry, repository: str) -> None:
    name = f"{registry.host}/{repository}:1"
    made = import_busybox(docker, name)
    push(docker, name)
    assert pull_anew(docker, name) == made


def test_docker_pulls_by_digest(docker: Command, registry: Registry, repository: str) -> None:
    tagged = f"{registry.host}/{repository}:1"
    made = build(docker, tagged, layer(repository))
    by_digest = f"{registry.host}/{repository}@{push(docker, tagged)}"
    docker("image", "rm", "--force", tagged)
    docker("pull", by_digest)
    assert known(docker, by_digest) == made


def test_a_config_pushed_by_docker_is_what_docker_calls_the_image(
    docker: Command, registry: Registry, repository: str
) -> None:
    name = f"{registry.host}/{repository}:1"
    made = build(docker, name, layer(repository))
    push(docker, name)
    manifest = registry.manifest(repository, "1")
    assert manifest["config"]["digest"] == made.config_digest
    assert manifest["mediaType"] == DOCKER.manifest


def test_moving_a_tag_with_docker_keeps_the_former_image_by_digest(
    docker: Command, registry: Registry, repository: str
) -> None:
    name = f"{registry.host}/{repository}:latest"
    former_image = build(docker, name, layer(f"{repository}/1"))
    former = push(docker, name)
    build(docker, name, layer(f"{repository}/2"))
    assert push(docker, name) == registry.digest(repository, "latest") != former
    docker("pull", f"{registry.host}/{repository}@{former}")
    assert known(docker, f"{registry.host}/{repository}@{former}") == former_image


def test_docker_push_all_tags_pushes_each(docker: Command, registry: Registry, repository: str) -> None:
    names = [f"{registry.host}/{repository}:{tag}" for tag in ("1", "2", "3")]
    for name in names:
        build(docker, name, layer(name))
    docker("push", "--all-tags", f"{registry.host}/{repository}")
    assert sorted(registry.tags(repository)) == ["1", "2", "3"]


def test_docker_cannot_push_after_logout(
    dockerd: Dockerd, docker: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    require(registry.credentials, "the registry under test lets everybody in")
    name = f"{registry.host}/{repository}:1"
    build(docker, name, layer(repository))
    visitor = dockerd.client(tmp_path)
    visitor(*_login(registry), stdin=_password(registry))
    visitor("logout", registry.host)
    said = visitor.refused("push", name)
    assert re.search(r"unauthorized: authentication required|denied: ", said.text), said.text
    # Refused for lack of rights, docker must give up at once: any other word has it upload each layer five times.
    assert "Retrying" not in said.text
    with registry.http() as http:
        assert http.head(f"/v2/{repository}/manifests/1").status_code == httpx.codes.NOT_FOUND


def test_two_docker_pushes_at_once_both_arrive_whole(docker: Command, registry: Registry, repository: str) -> None:
    names = [f"{registry.host}/{repository}:{tag}" for tag in ("left", "right")]
    shared = layer(f"{repository}/shared", 2_000_000)
    made = [build(docker, name, shared, layer(name, 2_000_000)) for name in names]
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(lambda name: push(docker, name), names))
    docker("image", "rm", "--force", *names)
    assert [pull_anew_missing(docker, name) for name in names] == made
    assert [registry.digest(repository, tag) for tag in ("left", "right")] == digests


def pull_anew_missing(docker: Command, name: str) -> object:
    docker("pull", name)
    return known(docker, name)


def test_an_index_made_by_docker_manifest_is_pulled_back(docker: Command, registry: Registry, repository: str) -> None:
    host = f"{registry.host}/{repository}"
    made = build(docker, f"{host}:amd64", layer(f"{repository}/amd64"))
    build(docker, f"{host}:arm64", layer(f"{repository}/arm64"))
    images = {arch: push(docker, f"{host}:{arch}") for arch in ("amd64", "arm64")}
    docker("manifest", "create", "--insecure", f"{host}:all", f"{host}:amd64", f"{host}:arm64")
    docker("manifest", "annotate", "--arch", "arm64", f"{host}:all", f"{host}:arm64")
    docker("manifest", "push", "--insecure", f"{host}:all")
    named = {
        part["platform"]["architecture"]: part["digest"] for part in registry.manifest(repository, "all")["manifests"]
    }
    assert named == images
    docker("image", "rm", "--force", f"{host}:amd64", f"{host}:arm64")
    docker("pull", "--platform", "linux/amd64", f"{host}:all")
    assert known(docker, f"{host}:all") == made


def _login(registry: Registry) -> list[str]:
    return ["login", "--username", "admin", "--password-stdin", registry.host]


def _password(registry: Registry) -> bytes:
    assert registry.credentials is not None
    return registry.credentials[1].encode()
