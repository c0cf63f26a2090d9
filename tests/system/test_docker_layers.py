"""Layers as docker sends them: many, large, shared, and not sent again when the registry has them."""

from tests.system.command import Command
from tests.system.docker_images import build, layer, pull_anew, push
from tests.system.reading import Registry

MEBIBYTE = 1 << 20


def test_an_image_of_twenty_layers_comes_back(docker: Command, registry: Registry, repository: str) -> None:
    name = f"{registry.host}/{repository}:1"
    made = build(docker, name, *(layer(f"{repository}/{number}") for number in range(20)))
    assert len(made.diff_ids) == 20
    digest = push(docker, name)
    assert pull_anew(docker, name) == made
    assert len(registry.contents(repository, digest)) == 22


def test_a_layer_of_more_than_64_mib_comes_back(docker: Command, registry: Registry, repository: str) -> None:
    name = f"{registry.host}/{repository}:1"
    made = build(docker, name, layer(repository, 70 * MEBIBYTE))
    push(docker, name)
    assert pull_anew(docker, name) == made


def test_an_image_pushed_again_sends_nothing(docker: Command, registry: Registry, repository: str) -> None:
    name = f"{registry.host}/{repository}:1"
    build(docker, name, layer(f"{repository}/1"), layer(f"{repository}/2"))
    first = docker("push", name).text
    second = docker("push", name).text
    assert (first.count(": Pushed"), second.count(": Layer already exists")) == (2, 2)
    assert second.splitlines()[-1] == first.splitlines()[-1]


def test_a_layer_shared_in_one_repository_already_exists(docker: Command, registry: Registry, repository: str) -> None:
    host = f"{registry.host}/{repository}"
    build(docker, f"{host}:base", layer(f"{repository}/base"))
    made = build(docker, f"{host}:more", layer(f"{repository}/more"), base=f"{host}:base")
    docker("push", f"{host}:base")
    said = docker("push", f"{host}:more").text
    assert (said.count(": Layer already exists"), said.count(": Pushed")) == (1, 1)
    docker("image", "rm", "--force", f"{host}:base")
    assert pull_anew(docker, f"{host}:more") == made


def test_a_layer_shared_by_two_repositories_is_mounted(docker: Command, registry: Registry, repository: str) -> None:
    left, right = f"{registry.host}/{repository}/left:1", f"{registry.host}/{repository}/right:1"
    build(docker, left, layer(f"{repository}/left"))
    made = build(docker, right, layer(f"{repository}/right"), base=left)
    docker("push", left)
    said = docker("push", right).text
    assert (said.count(f": Mounted from {repository}/left"), said.count(": Pushed")) == (1, 1)
    docker("image", "rm", "--force", left)
    assert pull_anew(docker, right) == made


def test_one_image_in_two_repositories_is_one_digest(docker: Command, registry: Registry, repository: str) -> None:
    left, right = f"{registry.host}/{repository}/left:1", f"{registry.host}/{repository}/right:1"
    made = build(docker, left, layer(f"{repository}/1"), layer(f"{repository}/2"))
    docker("tag", left, right)
    first = push(docker, left)
    said = docker("push", right).text
    assert said.count(f": Mounted from {repository}/left") == 2
    assert registry.digest(f"{repository}/right", "1") == first
    docker("image", "rm", "--force", left)
    assert pull_anew(docker, right) == made
