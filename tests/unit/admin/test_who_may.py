"""Who may administer what: and to anybody else, what is there looks like what is not."""

from __future__ import annotations

import uuid
from pathlib import Path

import httpx
import pytest

from tests.unit.admin.site import PASSWORD, Person, Site, new_name, new_project, site

NOBODYS = uuid.UUID("8eeb9ed7-737b-48ac-b533-a14ad3ec3487")
"""The same in every process that collects these tests."""
FOR_ADMINISTRATORS: list[tuple[str, str, object]] = [
    ("GET", "/users", None),
    ("PUT", "/users/{other}", {}),
    ("PUT", "/users/{free}", {}),
    ("PUT", "/users/{self}", {"is_admin": True}),
    ("DELETE", "/users/{self}", None),
    ("GET", "/groups", None),
    ("GET", "/groups/{free}", None),
    ("PUT", "/groups/{free}", {}),
    ("DELETE", "/groups/{free}", None),
    ("GET", "/groups/{free}/members", None),
    ("PUT", "/groups/{free}/members/{self}", None),
    ("DELETE", "/groups/{free}/members/{self}", None),
    ("PUT", "/grants/{self}/allow?pattern=**", {"actions": ["owner"]}),
    ("GET", "/explain?subject={other}&action=pull&repository=team/app", None),
    ("GET", "/explain?subject={free}&action=pull&repository=team/app", None),
]
OF_SOMEBODY: list[tuple[str, str, object]] = [
    ("GET", "/users/{}", None),
    ("DELETE", "/users/{}", None),
    ("PUT", "/users/{}/password", {"password": "new"}),
    ("GET", "/users/{}/tokens", None),
    ("POST", "/users/{}/tokens", {}),
    ("DELETE", f"/users/{{}}/tokens/{NOBODYS}", None),
]
OF_A_PROJECT: list[tuple[str, str, object]] = [
    ("GET", "/projects/{}/robots", None),
    ("GET", "/projects/{}/robots/ci", None),
    ("PUT", "/projects/{}/robots/ci", {}),
    ("DELETE", "/projects/{}/robots/ci", None),
    ("POST", "/projects/{}/robots/ci/secret", None),
]


def problem(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return str(answer.json()["type"]).removeprefix("urn:entrepot:problem:")


@pytest.mark.parametrize(("method", "path", "document"), FOR_ADMINISTRATORS)
def test_what_is_for_administrators_is_for_them_only(
    registry: Site, alice: Person, method: str, path: str, document: object
) -> None:
    asked = path.format(self=alice.name, other=registry.user().name, free=new_name())
    answer = alice.ask(method, asked, json=document)
    assert (answer.status_code, problem(answer)) == (403, "denied")
    assert registry.admin.get(f"/users/{alice.name}").json()["is_admin"] is False


@pytest.mark.parametrize(("method", "path", "document"), OF_SOMEBODY)
def test_somebody_else_looks_like_nobody(
    registry: Site, alice: Person, method: str, path: str, document: object
) -> None:
    there, absent = registry.user().name, new_name()
    answers = [alice.ask(method, path.format(name), json=document) for name in (there, absent)]
    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].text.replace(there, "") == answers[1].text.replace(absent, "")


@pytest.mark.parametrize(("method", "path", "document"), OF_A_PROJECT)
def test_the_robots_of_others_look_like_none(
    registry: Site, alice: Person, method: str, path: str, document: object
) -> None:
    there, absent = new_project(), new_project()
    registry.admin.put(f"/projects/{there}/robots/ci", {})
    # To pull there is not to administer there.
    registry.grant(alice.name, f"{there}/**", "maintainer")
    answers = [alice.ask(method, path.format(project), json=document) for project in (there, absent)]
    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].text.replace(there, "") == answers[1].text.replace(absent, "")


def test_the_grants_of_others_look_like_none(registry: Site, alice: Person) -> None:
    given = registry.grant(registry.user().name, f"{new_project()}/**", "pull")
    for method in ("GET", "DELETE"):
        answers = [alice.ask(method, f"/grants/{each}") for each in (given, uuid.uuid4())]
        assert [(each.status_code, problem(each)) for each in answers] == [(404, "grant-unknown")] * 2


def test_a_list_of_grants_tells_nobody_who_there_is(registry: Site, admin: Person, alice: Person) -> None:
    there = registry.user().name
    registry.grant(there, f"{new_project()}/**", "pull")
    answers = [alice.get("/grants", subject=each) for each in (there, new_name())]
    assert [(each.status_code, each.json()["items"]) for each in answers] == [(200, [])] * 2
    assert admin.get("/grants", subject=new_name()).status_code == 404


def test_a_grant_to_oneself_is_seen_and_not_taken_back(registry: Site, alice: Person) -> None:
    given = registry.grant(alice.name, f"{new_project()}/**", "pull", effect="deny")
    assert [each["uuid"] for each in alice.get("/grants").json()["items"]] == [given]
    assert alice.get(f"/grants/{given}").status_code == 200
    assert alice.delete(f"/grants/{given}").status_code == 403


def test_who_holds_admin_on_a_project_gives_grants_and_robots_there_and_nowhere_else(
    registry: Site, alice: Person
) -> None:
    project, robot = new_project(), {"description": "builds"}
    registry.grant(alice.name, f"{project}/**", "owner")
    bob = registry.user()
    assert alice.put(f"/grants/{bob.name}/allow?pattern={project}/app", {"actions": ["pull"]}).status_code == 201
    assert alice.put(f"/projects/{project}/robots/ci", robot).status_code == 201
    assert alice.get("/explain", subject=bob.name, action="pull", repository=f"{project}/app").json()["allowed"]
    for pattern in ("**", f"{project}*/**", f"{project}x/app", "*/app"):
        assert alice.put(f"/grants/{bob.name}/allow?pattern={pattern}", {"actions": ["pull"]}).status_code == 403
    assert alice.put(f"/projects/{project}x/robots/ci", robot).status_code == 404


def test_the_answer_without_a_name_is_to_sign_in(registry: Site) -> None:
    http = registry.client()
    for method, path in (("GET", "/me"), ("GET", "/repositories"), ("PUT", "/users/eve"), ("GET", "/nothing")):
        answer = http.request(method, f"/api/v1{path}")
        assert (answer.status_code, problem(answer)) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == 'Basic realm="entrepot", charset="UTF-8"'


def test_a_bearer_token_of_the_token_service_administers_nothing(registry: Site) -> None:
    token = registry.admin.http.get("/token", params={"scope": "repository:team/app:*"}).json()["token"]
    answer = registry.bearer(token).get("/me")
    assert (answer.status_code, problem(answer)) == (401, "unauthorized")
    assert "personal token" in answer.json()["title"]


def test_a_refresh_token_administers_nothing(registry: Site) -> None:
    parameters = {"offline_token": "true", "client_id": "docker"}
    refresh = registry.admin.http.get("/token", params=parameters).json()["refresh_token"]
    assert registry.bearer(refresh).get("/me").status_code == 401
    assert registry.person("admin", refresh).get("/me").status_code == 401


def test_a_token_with_limits_administers_nothing_and_says_who_it_is(registry: Site, admin: Person) -> None:
    limits = [{"pattern": "**", "actions": ["owner"]}]
    made = admin.post("/users/admin/tokens", {"label": "narrow", "limits": limits}).json()
    narrow = registry.bearer(made["secret"])
    assert narrow.get("/me").json()["limits"] == [{"pattern": "**", "actions": ["pull", "push", "delete", "admin"]}]
    assert narrow.get("/repositories").status_code == 200
    asked = [
        ("GET", "/users"), ("GET", "/users/admin"), ("GET", "/users/admin/tokens"), ("GET", "/grants"),
        ("GET", f"/grants/{NOBODYS}"), ("GET", "/groups"), ("GET", "/projects/team/robots"),
        ("GET", "/explain?subject=admin&action=pull&repository=team/app"), ("DELETE", "/users/admin"),
    ]  # fmt: skip
    assert {(path, narrow.ask(method, path).status_code) for method, path in asked} == {
        (path, 403) for _, path in asked
    }


def test_no_token_is_made_by_a_token(registry: Site, alice: Person) -> None:
    path = f"/users/{alice.name}/tokens"
    by_token = registry.bearer(alice.post(path, {"label": "first"}).json()["secret"])
    assert by_token.get(path).status_code == 200
    assert by_token.post(path, {"label": "second"}).status_code == 403
    assert len(alice.get(path).json()["items"]) == 1


def test_who_changes_its_own_password_shows_the_present_one(registry: Site, alice: Person) -> None:
    path, token = f"/users/{alice.name}/password", alice.post(f"/users/{alice.name}/tokens", {}).json()["secret"]
    # A token stands for the password in clients' files, and must not be enough to take the account.
    for current in (None, "", "wrong", token):
        answer = registry.bearer(token).put(path, {"password": "new"} | ({"current": current} if current else {}))
        assert (answer.status_code, problem(answer)) == (403, "denied")
    assert alice.put(path, {"password": "new", "current": PASSWORD}).status_code == 204
    assert alice.get("/me").status_code == 401
    assert registry.person(alice.name, "new").get("/me").status_code == 200


def test_administrators_change_the_passwords_of_others_without(registry: Site, admin: Person, alice: Person) -> None:
    assert admin.put(f"/users/{alice.name}/password", {"password": "new"}).status_code == 204
    assert registry.person(alice.name, "new").get("/me").status_code == 200
    assert admin.put("/users/admin/password", {"password": "new"}).status_code == 403


def test_members_of_a_group_of_administrators_administer(registry: Site, admin: Person, alice: Person) -> None:
    group = new_name()
    admin.put(f"/groups/{group}", {"is_admin": True})
    admin.put(f"/groups/{group}/members/{alice.name}")
    assert alice.get("/users").status_code == 200
    assert (alice.get("/me").json()["is_admin"], alice.get("/me").json()["groups"]) == (True, [f"@{group}"])
    admin.delete(f"/groups/{group}/members/{alice.name}")
    assert alice.get("/users").status_code == 403


@pytest.mark.parametrize("kind", ["group", "robot"])
def test_what_is_no_user_is_none_by_its_path_either(registry: Site, admin: Person, kind: str) -> None:
    name = new_name()
    if kind == "group":
        path = f"/users/@{name}"
        admin.put(f"/groups/{name}", {})
    else:
        path = f"/users/{name}+ci"
        admin.put(f"/projects/{name}/robots/ci", {})
    asked = [admin.get(path), admin.delete(path), admin.get(f"{path}/tokens"), admin.post(f"{path}/tokens", {})]
    assert [each.status_code for each in asked] == [404] * 4
    assert admin.put(path, {}).status_code == 422


def test_everybody_can_neither_be_removed_nor_changed(admin: Person) -> None:
    asked = [admin.get("/users/anyone"), admin.delete("/users/anyone"), admin.put("/users/anyone", {})]
    assert [each.status_code for each in asked] == [404, 404, 422]


def test_the_last_administrator_stays(tmp_path: Path) -> None:
    with site(tmp_path / "data") as registry:
        answer = registry.admin.put("/users/admin", {"is_admin": False})
        assert (answer.status_code, problem(answer)) == (409, "last-administrator")


def test_a_page_of_another_site_changes_nothing(registry: Site) -> None:
    project = new_project()
    registry.admin.put(f"/projects/{project}/robots/ci", {})
    for origin, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        http = registry.client(("admin", PASSWORD), sec_fetch_site=origin)
        assert http.post(f"/api/v1/projects/{project}/robots/ci/secret").status_code == status
        assert http.get("/api/v1/me").status_code == 200


def test_where_authentication_is_off_everybody_administers(tmp_path: Path) -> None:
    with site(tmp_path / "data", open=True) as registry:
        http = registry.client()
        assert http.get("/api/v1/me").json()["kind"] == "open"
        assert http.put("/api/v1/users/alice", json={}).status_code == 201
        assert http.put("/api/v1/grants/alice/allow?pattern=**", json={"actions": ["pull"]}).status_code == 201
