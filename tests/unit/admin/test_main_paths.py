"""What administrators do all day, over each database: made, found, changed, taken back."""

from __future__ import annotations

import pytest

from tests.unit.admin.site import Person, Site, new_name, new_project


def test_a_user_is_made_then_replaced_then_the_same(anywhere: Site) -> None:
    admin, path = anywhere.admin, f"/users/{new_name()}"
    made = admin.put(path, {"description": "first"})
    assert (made.status_code, made.json()["description"]) == (201, "first")
    replaced = admin.put(path, {"description": "second"})
    assert (replaced.status_code, replaced.json()["description"]) == (200, "second")
    again = admin.put(path, {"description": "second"})
    assert (again.status_code, again.headers["etag"]) == (200, replaced.headers["etag"])
    assert admin.get(path).json() == again.json()


def test_what_is_left_out_of_a_put_is_put_to_its_default(anywhere: Site) -> None:
    admin, path = anywhere.admin, f"/users/{new_name()}"
    admin.put(path, {"description": "words", "is_admin": True, "disabled": True})
    user = admin.put(path, {}).json()
    assert (user["description"], user["is_admin"], user["disabled"]) == ("", False, False)


def test_a_user_that_was_removed_is_gone_and_its_name_is_free(anywhere: Site) -> None:
    admin, alice = anywhere.admin, anywhere.user()
    assert alice.get("/me").status_code == 200
    assert admin.delete(f"/users/{alice.name}").status_code == 204
    assert alice.get("/me").status_code == 401
    assert admin.get(f"/users/{alice.name}").status_code == 404
    assert admin.put(f"/users/{alice.name}", {}).status_code == 201


def test_a_disabled_user_is_let_in_no_more(anywhere: Site) -> None:
    alice = anywhere.user()
    assert anywhere.admin.put(f"/users/{alice.name}", {"disabled": True}).status_code == 200
    assert alice.get("/me").status_code == 401
    anywhere.admin.put(f"/users/{alice.name}", {})
    assert alice.get("/me").status_code == 200


@pytest.mark.parametrize("path", ["/users", "/groups"])
def test_a_list_comes_by_the_page(anywhere: Site, path: str) -> None:
    admin, mark = anywhere.admin, new_name()
    at = "@" if path == "/groups" else ""
    names = [f"{at}{mark}-{number}" for number in range(5)]
    for name in names:
        assert admin.put(f"{path}/{name}", {"description": f"made for {mark}"}).status_code == 201
    assert followed(admin, path, q=mark, limit=2) == [names[0:2], names[2:4], names[4:5]]


def test_members_come_and_go(anywhere: Site) -> None:
    admin, group = anywhere.admin, new_name()
    admin.put(f"/groups/{group}", {})
    people = sorted(anywhere.user().name for _ in range(3))
    for name in people:
        assert admin.put(f"/groups/@{group}/members/{name}").status_code == 201
    assert admin.put(f"/groups/{group}/members/{people[0]}").status_code == 200
    assert followed(admin, f"/groups/{group}/members", limit=2) == [people[:2], people[2:]]
    assert admin.delete(f"/groups/{group}/members/{people[0]}").status_code == 204
    assert admin.delete(f"/groups/{group}/members/{people[0]}").status_code == 404
    assert followed(admin, f"/groups/{group}/members", limit=2) == [people[1:]]


def test_a_robot_signs_in_by_its_newest_secret_only(anywhere: Site) -> None:
    admin, path = anywhere.admin, f"/projects/{new_project()}/robots/ci"
    assert admin.put(path, {"expires": "2090-01-01T00:00:00+01:00"}).json()["expires"] == "2089-12-31T23:00:00Z"
    first = admin.post(f"{path}/secret").json()
    assert anywhere.person(first["name"], first["secret"]).get("/me").json()["kind"] == "robot"
    second = admin.post(f"{path}/secret").json()
    assert anywhere.person(first["name"], first["secret"]).get("/me").status_code == 401
    assert anywhere.bearer(second["secret"]).get("/me").json()["name"] == second["name"]
    assert admin.ask("POST", f"{path}/secret", params={"keep_former": True}).status_code == 200
    assert anywhere.bearer(second["secret"]).get("/me").status_code == 200


def test_robots_of_a_project_come_by_the_page(anywhere: Site) -> None:
    admin, project = anywhere.admin, new_project()
    for name in ("a", "b", "c"):
        admin.put(f"/projects/{project}/robots/{name}", {})
    admin.put(f"/projects/{project}x/robots/a", {})
    names = [f"{project}+{each}" for each in "abc"]
    assert followed(admin, f"/projects/{project}/robots", limit=2) == [names[:2], names[2:]]
    assert admin.delete(f"/projects/{project}/robots/b").status_code == 204
    assert followed(admin, f"/projects/{project}/robots", limit=9) == [[names[0], names[2]]]


def test_a_grant_is_put_replaced_and_taken_back(anywhere: Site) -> None:
    admin, alice, project = anywhere.admin, anywhere.user(), new_project()
    path = f"/grants/{alice.name}/allow?pattern={project}/**"
    made = admin.put(path, {"actions": ["reader"]})
    assert (made.status_code, made.json()["actions"], made.json()["by"]) == (201, ["pull"], "admin")
    replaced = admin.put(path, {"actions": ["writer"]})
    assert (replaced.status_code, replaced.json()["uuid"]) == (200, made.json()["uuid"])
    assert admin.put(path, {"actions": ["pull", "push"]}).headers["etag"] == replaced.headers["etag"]
    uuid = made.json()["uuid"]
    assert admin.get(f"/grants/{uuid}").json() == replaced.json()
    assert admin.get("/grants", subject=alice.name).json()["items"] == [replaced.json()]
    assert admin.delete(f"/grants/{uuid}").status_code == 204
    assert admin.get(f"/grants/{uuid}").status_code == 404


def test_a_grant_and_a_denial_stand_side_by_side(anywhere: Site) -> None:
    alice, project = anywhere.user(), new_project()
    allowed = anywhere.grant(alice.name, f"{project}/**", "owner")
    denied = anywhere.grant(alice.name, f"{project}/**", "delete", effect="deny")
    assert allowed != denied
    because = alice.get("/explain", subject=alice.name, action="delete", repository=f"{project}/app").json()
    assert (because["allowed"], because["because"]["uuid"]) == (False, denied)
    assert because["because"]["effect"] == "deny"


def test_grants_come_by_the_page(anywhere: Site) -> None:
    alice, project = anywhere.user(), new_project()
    given = {anywhere.grant(alice.name, f"{project}/{each}", "pull") for each in "abcde"}
    pages = followed(anywhere.admin, "/grants", key="uuid", subject=alice.name, limit=2)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {uuid for page in pages for uuid in page} == given


def test_a_token_is_told_once_used_listed_and_taken_back(anywhere: Site) -> None:
    alice = anywhere.user()
    made = alice.post(f"/users/{alice.name}/tokens", {"label": "laptop", "expires": "2090-01-01T00:00:00Z"})
    assert (made.status_code, made.json()["expires"]) == (201, "2090-01-01T00:00:00Z")
    by_token = anywhere.person(alice.name, made.json()["secret"])
    assert by_token.get("/me").json()["limits"] is None
    (listed,) = alice.get(f"/users/{alice.name}/tokens").json()["items"]
    assert "secret" not in listed
    assert {**listed, "secret": made.json()["secret"]} == {**made.json(), "used": listed["used"]}
    assert alice.delete(f"/users/{alice.name}/tokens/{listed['uuid']}").status_code == 204
    assert by_token.get("/me").status_code == 401
    assert alice.delete(f"/users/{alice.name}/tokens/{listed['uuid']}").status_code == 404


def followed(person: Person, path: str, key: str = "name", **parameters: str | int) -> list[list[str]]:
    """The names on each page, to the last."""
    pages, after = [], ""
    while True:
        page = person.get(path, after=after, **parameters).json()
        pages.append([each[key] for each in page["items"]])
        if page["next"] is None:
            return pages
        after = page["next"]
