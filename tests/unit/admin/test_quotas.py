"""Quotas and usage over HTTP: who may read, who may set, and what a push is told then."""

from __future__ import annotations

import httpx
import pytest

from tests.support.client import RegistryClient
from tests.support.images import digest_of
from tests.unit.admin.site import ADMIN, PASSWORD, Person, Site, new_project
from tests.unit.admin.test_who_may import problem


def push(registry: Site, project: str, content: bytes, by: tuple[str, str] = (ADMIN, PASSWORD)) -> httpx.Response:
    return RegistryClient(registry.client(by)).push_at_once(f"{project}/app", digest_of(content), content)


def content_of(project: str) -> bytes:
    """Nobody else's."""
    return project.encode().ljust(100)


@pytest.fixture
def project(registry: Site) -> str:
    """Of one blob of 100 bytes."""
    name = new_project()
    assert push(registry, name, content_of(name)).status_code == 201
    return name


def test_what_is_put_is_what_holds(registry: Site, admin: Person, project: str) -> None:
    path = f"/projects/{project}/quota"
    put = admin.put(path, {"bytes": {"hard": 150, "soft": 120}, "tags": {"hard": 5}})
    assert put.status_code == 200
    assert put.json() == admin.get(path).json()
    assert put.json()["bytes"] == {"hard": 150, "soft": 120, "is_own": True, "used": 100}
    assert put.json()["repositories"] == {"hard": None, "soft": None, "is_own": False, "used": 1}
    refused = push(registry, project, b"x" * 51)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "DENIED")
    told = push(registry, project, b"x" * 21)
    words = f"project {project} uses 121 bytes, beyond its soft limit of 120 bytes"
    assert (told.status_code, told.headers["warning"]) == (201, f'299 - "{words}"')
    assert admin.delete(path).status_code == 204
    assert push(registry, project, b"x" * 51).status_code == 201


def test_of_two_who_set_the_same_the_later_is_told(admin: Person, project: str) -> None:
    path = f"/projects/{project}/quota"
    seen = admin.get(path).headers["etag"]
    first = admin.put(path, {"tags": {"hard": 1}}, if_match=seen)
    assert first.status_code == 200
    assert first.headers["etag"] != seen
    assert admin.put(path, {"tags": {"hard": 2}}, if_match=seen).status_code == 412
    again = admin.put(path, {"tags": {"hard": 1}}, if_match=first.headers["etag"])
    assert again.headers["etag"] == first.headers["etag"]


def test_what_all_may_have_is_put_once_for_all(admin: Person, project: str) -> None:
    try:
        assert admin.put("/default-quotas/project", {"repositories": {"hard": 7}}).status_code == 200
        shown = admin.get(f"/projects/{project}/quota").json()["repositories"]
        assert shown == {"hard": 7, "soft": None, "is_own": False, "used": 1}
        admin.put(f"/projects/{project}/quota", {"repositories": {}})
        assert admin.get(f"/projects/{project}/quota").json()["repositories"]["hard"] is None
        assert admin.get("/default-quotas/project").json()["name"] == "*"
    finally:
        admin.put("/default-quotas/project", {})


def test_a_user_has_what_its_projects_have(registry: Site, admin: Person, project: str) -> None:
    alice = registry.user()
    assert admin.put(f"/projects/{project}/owner", {"owner": alice.name}).json()["owner"] == alice.name
    assert admin.put(f"/users/{alice.name}/quota", {"bytes": {"hard": 100}}).status_code == 200
    assert alice.get(f"/users/{alice.name}/quota").json()["bytes"]["used"] == 100
    refused = push(registry, project, b"x")
    assert refused.json()["errors"][0]["detail"]["user"] == alice.name
    assert admin.delete(f"/users/{alice.name}/quota").status_code == 204
    assert push(registry, project, b"x").status_code == 201


def test_usage_is_told_to_the_byte_to_owners_and_maintainers_and_nobody_else(
    registry: Site, admin: Person, project: str
) -> None:
    owner, maintainer, other = (registry.user() for _ in range(3))
    admin.put(f"/projects/{project}/owner", {"owner": owner.name})
    registry.grant(maintainer.name, f"{project}/**", "owner")
    registry.grant(other.name, f"{project}/**", "push", "pull")
    for path in (f"/projects/{project}", f"/projects/{project}/quota"):
        told = [each.get(path) for each in (admin, owner, maintainer)]
        assert [each.status_code for each in told] == [200] * 3
        assert told[1].json() == told[0].json()
        absent = path.replace(project, new_project())
        assert [problem(other.get(each)) for each in (path, absent)] == ["project-unknown"] * 2
    usage = admin.get(f"/projects/{project}").json()
    assert usage["by_reason"] == {"served": 0, "undo": 0, "lease": 100, "nothing": 0, "reserved": 0}
    assert usage["by_repository"] == [{"name": f"{project}/app", "own": 100, "shared_with": []}]


def test_with_whom_is_shared_is_told_as_far_as_the_caller_may_see(registry: Site, admin: Person, project: str) -> None:
    elsewhere = new_project()
    push(registry, elsewhere, content_of(project))
    owner = registry.user()
    admin.put(f"/projects/{project}/owner", {"owner": owner.name})
    (seen,) = admin.get(f"/projects/{project}").json()["by_repository"]
    assert {"name": f"{elsewhere}/app", "size": 100} in seen["shared_with"]
    (seen,) = owner.get(f"/projects/{project}").json()["by_repository"]
    assert seen["shared_with"] == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_nobody_but_administrators_sets_any(registry: Site, project: str, method: str) -> None:
    alice = registry.user()
    registry.admin.put(f"/projects/{project}/owner", {"owner": alice.name})
    for path in (f"/projects/{project}/quota", f"/users/{alice.name}/quota"):
        assert alice.ask(method, path, json={}).status_code == 403
    assert alice.put("/default-quotas/user", {}).status_code == 403
    assert alice.put(f"/projects/{project}/owner", {"owner": None}).status_code == 403
    assert alice.get("/projects").status_code == 403


def test_projects_are_listed_by_the_page(admin: Person, project: str) -> None:
    page = admin.get("/projects", q=project).json()
    assert page == {"items": [{"name": project, "used": 100, "owner": ADMIN}], "next": None}


@pytest.mark.parametrize(
    "document", [{"bytes": {"hard": -1}}, {"bytes": 5}, {"bites": {}}, {"bytes": {"hard": 1, "soft": 2}}]
)
def test_what_cannot_be_set_is_refused(admin: Person, project: str, document: object) -> None:
    assert admin.put(f"/projects/{project}/quota", document).status_code == 422
