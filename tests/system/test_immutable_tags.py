"""docker at immutable tags: one line, one attempt, and everything else as ever."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.images import index
from tests.system.docker_images import build, layer, pull_anew, push
from tests.system.dockerd import Dockerd
from tests.system.people import Town, town

REFUSED = "denied: the tag is immutable, and can be neither moved nor deleted"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("immutable") / "data") as place:
        yield place


def test_docker_is_told_in_one_line_after_one_attempt(
    dockerd: Dockerd, place: Town, repository: str, tmp_path: Path
) -> None:
    docker = place.docker(dockerd, tmp_path / "docker", place.server.admin)
    name = f"{place.host}/{repository}:v1"
    made = build(docker, name, layer(repository))
    digest = push(docker, name)
    place.entrepot(f"immutable add {repository} --tags v*")
    assert push(docker, name) == digest
    build(docker, name, layer(f"{repository}/other"))
    said = docker.refused("push", name)
    assert REFUSED in said.text
    assert "Retrying" not in said.text
    assert said.text.count("denied:") == 1
    assert pull_anew(docker, name) == made
    latest = f"{place.host}/{repository}:latest"
    build(docker, latest, layer(f"{repository}/other"))
    push(docker, latest)


def test_a_signature_is_pushed_beside_an_immutable_image(
    dockerd: Dockerd, place: Town, repository: str, tmp_path: Path
) -> None:
    docker = place.docker(dockerd, tmp_path / "docker", place.server.admin)
    place.entrepot(f"immutable add {repository}")
    name = f"{place.host}/{repository}:v1"
    build(docker, name, layer(repository))
    signature = push(docker, name).replace(":", "-") + ".sig"
    with place.client() as admin:
        for words in ("one signature", "two signatures"):
            made = index(annotations={"words": words})
            assert admin.push_manifest(repository, signature, made.manifest, made.media_type).status_code == 201
            assert admin.manifest(repository, signature).content == made.manifest


def test_what_retention_has_ended_is_pulled_again_once_it_is_restored(
    dockerd: Dockerd, place: Town, repository: str, tmp_path: Path
) -> None:
    docker = place.docker(dockerd, tmp_path / "docker", place.server.admin)
    names = [f"{place.host}/{repository}:{tag}" for tag in ("old", "young")]
    made = [build(docker, name, layer(name)) for name in names]
    for name in names:
        push(docker, name)
    place.entrepot(f"retention add {repository} --last 1")
    assert place.entrepot("retention run")["tags"] == 1
    docker("image", "rm", "--force", names[0])
    assert "not found" in docker.refused("pull", names[0]).text
    place.entrepot(f"tag restore {repository} old")
    assert [pull_anew(docker, name) for name in names] == made
