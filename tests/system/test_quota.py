"""Quotas as real clients meet them: one attempt, one line that says why, and nothing left of it."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.images import tiny_image
from tests.support.layout import write_layout
from tests.system.command import Command, Outcome
from tests.system.docker_images import build, layer, push
from tests.system.reading import Registry
from tests.system.require import require

MEGABYTE = 1_000_000
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Project:
    """One that no other test uses, and what its administrator can say of it."""

    registry: Registry
    name: str

    @property
    def repository(self) -> str:
        return f"{self.name}/app"

    @property
    def image(self) -> str:
        return f"{self.registry.host}/{self.repository}:1"

    def limit(self, **limits: dict[str, int]) -> None:
        self._ask("PUT", "/quota", json=limits)

    def used(self) -> int:
        """Of which nothing may be reserved any more."""
        shown = self._ask("GET", "")
        assert shown["by_reason"]["reserved"] == 0
        return int(shown["used"])

    def room(self, size: int) -> None:
        """So many bytes more than it has by now."""
        self.limit(bytes={"hard": self.used() + size})

    def begin(self) -> None:
        """A project is there from its first push on."""
        with self.registry.http() as http:
            answer = http.post(f"/v2/{self.repository}/blobs/uploads/").raise_for_status()
            http.delete(answer.headers["location"]).raise_for_status()

    def _ask(self, method: str, path: str, **more: object) -> Any:
        with self.registry.http() as http:
            answer = http.request(method, f"/api/v1/projects/{self.name}{path}", **more)  # type: ignore[arg-type]  # httpx's own keywords
            return answer.raise_for_status().json()


@pytest.fixture
def project(registry: Registry) -> Project:
    require(registry.credentials, "the registry under test lets everybody in")
    project = Project(registry, f"quota-{os.getpid()}-{next(_numbers)}")
    project.begin()
    return project


def refusal(said: Outcome) -> str:
    """The one line that says why."""
    lines = [line for line in said.text.splitlines() if "quota exceeded" in line]
    assert len(lines) == 1, said
    return lines[0]


@pytest.mark.parametrize("room", [0, 3 * MEGABYTE])
def test_docker_over_the_limit_tries_once_and_says_why(docker: Command, project: Project, room: int) -> None:
    """The length of its body is not known: refused at once where there is no room, else in the midst of it."""
    build(docker, project.image, layer(project.name, 8 * MEGABYTE))
    project.room(room)
    said = docker.refused("push", project.image)
    told = refusal(said)
    assert told.startswith(f"denied: quota exceeded: project {project.name} uses ")
    assert re.search(r" of .*, .* more needed$", told), told
    assert "Retrying" not in said.text
    assert project.used() == 0
    project.room(9 * MEGABYTE)
    push(docker, project.image)


def test_docker_pushes_again_what_a_full_project_has(docker: Command, project: Project) -> None:
    build(docker, project.image, layer(project.name, MEGABYTE))
    push(docker, project.image)
    project.room(0)
    push(docker, project.image)


def test_docker_meets_a_limit_of_tags(docker: Command, project: Project) -> None:
    build(docker, project.image, layer(project.name))
    push(docker, project.image)
    project.limit(tags={"hard": 1})
    other = project.image.removesuffix("1") + "2"
    docker("tag", project.image, other)
    said = docker.refused("push", other)
    assert refusal(said).endswith(f"project {project.name} has 1 of 1 tag, 1 tag more needed")
    assert "Retrying" not in said.text


def test_docker_gets_into_another_project_only_what_fits_there(docker: Command, project: Project) -> None:
    build(docker, project.image, layer(project.name, MEGABYTE))
    push(docker, project.image)
    other = Project(project.registry, f"{project.name}-other")
    other.begin()
    other.room(MEGABYTE // 2)
    docker("tag", project.image, other.image)
    said = docker.refused("push", other.image)
    assert f"project {other.name}" in refusal(said)
    assert other.used() == 0
    other.room(2 * MEGABYTE)
    push(docker, other.image)
    assert other.used() == project.used()


def test_podman_over_the_limit_says_why(podman: Command, project: Project, tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "in", {"1": tiny_image(project.name, layer_size=MEGABYTE)})
    image = podman("pull", "--quiet", f"oci:{layout}:1").output.strip()
    project.room(MEGABYTE // 2)
    said = podman.refused("push", "--tls-verify=false", image, project.image)
    assert f"quota exceeded: project {project.name}" in said.text
    assert project.used() < MEGABYTE // 2
    project.room(2 * MEGABYTE)
    podman("push", "--tls-verify=false", image, project.image)


def test_skopeo_over_the_limit_says_why(skopeo: Command, project: Project, tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "in", {"1": tiny_image(project.name, layer_size=MEGABYTE)})
    project.room(MEGABYTE // 2)
    copy = ("copy", "--dest-tls-verify=false", f"oci:{layout}:1", f"docker://{project.image}")
    said = skopeo.refused(*copy)
    assert f"quota exceeded: project {project.name}" in said.text
    assert project.used() < MEGABYTE // 2
    project.room(2 * MEGABYTE)
    skopeo(*copy)


def test_a_soft_limit_hinders_nobody(docker: Command, skopeo: Command, project: Project, tmp_path: Path) -> None:
    project.limit(bytes={"soft": 1})
    build(docker, project.image, layer(project.name))
    push(docker, project.image)
    layout = write_layout(tmp_path / "in", {"1": tiny_image(project.name)})
    skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:1", f"docker://{project.image}")
    with project.registry.http() as http:
        events = http.get("/api/v1/audit", params={"action": "quota.warn", "limit": 500}).raise_for_status().json()
    assert [each["target"] for each in events["items"]].count(f"project {project.name}") == 1
