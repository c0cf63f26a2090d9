"""`/retention-rules` and `/immutable-rules`: made, seen, tried and taken back, by whom they concern."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.unit.admin.site import ADMIN, PASSWORD, Person, Site, new_project
from tests.unit.admin.test_who_may import problem

DAY = 86400
KEPT: dict[str, dict[str, Any]] = {"retention": {"keeps": {"last": 3}}, "immutable": {}}
INDEX = "application/vnd.oci.image.index.v1+json"


def where(kind: str, repositories: str, tags: str = "v*") -> str:
    return f"/{kind}-rules?repositories={repositories}&tags={tags}"


def push(registry: Site, project: str, *tags: str) -> None:
    """An index of its own for each, the last one the youngest."""
    for tag in tags:
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"tag": tag}}
        client = registry.client((ADMIN, PASSWORD), content_type=INDEX)
        assert client.put(f"/v2/{project}/app/manifests/{tag}", content=json.dumps(document)).status_code == 201


@pytest.mark.parametrize("kind", KEPT)
def test_a_rule_is_made_read_and_taken_back(admin: Person, kind: str) -> None:
    project = new_project()
    made = admin.put(where(kind, f"{project}/**"), {"exceptions": "v0* v1", "enabled": False, **KEPT[kind]})
    assert made.status_code == 201
    rule = made.json()
    assert (rule["repositories"], rule["tags"], rule["exceptions"], rule["enabled"], rule["by"]) == (
        f"{project}/**", "v*", "v0* v1", False, "admin",
    )  # fmt: skip
    again = admin.put(where(kind, f"{project}/**"), {"exceptions": "v1  v0*", "enabled": False, **KEPT[kind]})
    assert (again.status_code, again.json(), again.headers["etag"]) == (200, rule, made.headers["etag"])
    assert admin.get(f"/{kind}-rules/{rule['uuid']}").json() == rule
    assert rule in admin.get(f"/{kind}-rules", limit=500).json()["items"]
    assert admin.delete(f"/{kind}-rules/{rule['uuid']}").status_code == 204
    gone = admin.get(f"/{kind}-rules/{rule['uuid']}")
    assert (gone.status_code, problem(gone)) == (404, "rule-unknown")


def test_what_a_rule_keeps_is_shown_as_it_was_put(admin: Person) -> None:
    keeps = {
        "last": 5, "pushed_within": 30 * DAY, "pulled_within": DAY, "like": "latest", "minors": 2,
        "untagged_after": DAY, "keeps_manifests": True,
    }  # fmt: skip
    made = admin.put(where("retention", f"{new_project()}/**"), {"keeps": keeps})
    assert made.json()["keeps"] == keeps
    assert "the last 5 pushed, those pushed within 30d" in made.json()["sentence"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"keeps": {}},
        {"keeps": {"keeps_manifests": True}},
        {"keeps": {"last": 0}},
        {"keeps": {"last": "3"}},
        {"keeps": {"like": "a/b"}},
        {"keeps": {"pushed_within": 1e18}},
        {"keeps": {"last": 1}, "exceptions": "**"},
        {"keeps": {"last": 1, "first": 1}},
    ],
)
def test_what_no_rule_can_say_is_refused(admin: Person, document: object) -> None:
    assert admin.put(where("retention", f"{new_project()}/**"), document).status_code == 422


@pytest.mark.parametrize("kind", KEPT)
@pytest.mark.parametrize("place", ["repositories=a/**/b&tags=*", "repositories=team/**&tags=a/b", "tags=*"])
def test_a_place_that_no_rule_can_have_is_refused(admin: Person, kind: str, place: str) -> None:
    assert admin.put(f"/{kind}-rules?{place}", KEPT[kind]).status_code == 422


@pytest.mark.parametrize("kind", KEPT)
def test_who_holds_admin_on_a_project_makes_rules_there_and_sees_no_others(
    registry: Site, admin: Person, alice: Person, kind: str
) -> None:
    project, other = new_project(), new_project()
    registry.grant(alice.name, f"{project}/**", "owner")
    theirs = admin.put(where(kind, f"{other}/**"), KEPT[kind]).json()["uuid"]
    own = alice.put(where(kind, f"{project}/**"), KEPT[kind])
    assert own.status_code == 201
    assert [each["uuid"] for each in alice.get(f"/{kind}-rules").json()["items"]] == [own.json()["uuid"]]
    for pattern in ("**", f"{other}/**", f"{project}*/**"):
        refused = alice.put(where(kind, pattern), KEPT[kind])
        assert (refused.status_code, problem(refused)) == (403, "denied")
    for method in ("GET", "DELETE"):
        answers = [alice.ask(method, f"/{kind}-rules/{each}") for each in (theirs, uuid.uuid4())]
        assert [(each.status_code, problem(each)) for each in answers] == [(404, "rule-unknown")] * 2
    assert alice.delete(f"/{kind}-rules/{own.json()['uuid']}").status_code == 204


def test_a_preview_tells_what_becomes_of_each_tag_by_the_rules_that_stand(registry: Site, admin: Person) -> None:
    project = new_project()
    push(registry, project, "v1", "v2", "v3", "latest")
    rule = admin.put(where("retention", f"{project}/**"), {"keeps": {"last": 1}}).json()["uuid"]
    told = admin.post(f"/retention-rules/preview?repository={project}/app", {}).json()
    assert [(each["tag"], each["stays"], each["reason"], each["rule"]) for each in told["items"]] == [
        ("latest", True, "no rule looks at it", None),
        ("v1", False, "no rule keeps it", rule),
        ("v2", False, "no rule keeps it", rule),
        ("v3", True, "it is among the last 1 pushed", rule),
    ]
    assert (told["stay"], told["go"], told["untagged"], told["next"]) == (2, 2, [], None)
    assert registry.client((ADMIN, PASSWORD)).get(f"/v2/{project}/app/tags/list").json()["tags"] == [
        "latest", "v1", "v2", "v3",
    ]  # fmt: skip


def test_a_preview_goes_by_other_rules_where_some_are_given_and_comes_by_the_page(
    registry: Site, admin: Person
) -> None:
    project = new_project()
    push(registry, project, "1.0.0", "1.1.0", "1.1.1")
    path = f"/retention-rules/preview?repository={project}/app&limit=2"
    wanted = {"rules": [{"keeps": {"minors": 1}}]}
    first = admin.post(path, wanted).json()
    second = admin.post(f"{path}&after={first['next']}", wanted).json()
    assert [each["tag"] for each in first["items"] + second["items"]] == ["1.0.0", "1.1.0", "1.1.1"]
    assert [each["stays"] for each in first["items"] + second["items"]] == [False, False, True]
    assert (first["stay"], first["go"], second["next"]) == (1, 2, None)
    assert admin.post(path, {"rules": []}).json()["items"] == []
    assert admin.post(path, {"rules": [{"keeps": {}}]}).status_code == 422


def test_a_preview_is_for_whoever_holds_admin_there(registry: Site, admin: Person, alice: Person) -> None:
    project = new_project()
    push(registry, project, "v1")
    registry.grant(alice.name, f"{project}/**", "maintainer")
    path = f"/retention-rules/preview?repository={project}/app"
    assert alice.post(path, {}).status_code == 403
    registry.grant(alice.name, f"{project}/app", "owner")
    assert alice.post(path, {}).status_code == 200
    missing = admin.post(f"/retention-rules/preview?repository={project}/none", {})
    assert (missing.status_code, problem(missing)) == (404, "repository-unknown")
    assert admin.post("/retention-rules/preview?repository=No", {}).status_code == 400


def test_whether_a_tag_can_change_is_told(registry: Site, admin: Person, alice: Person) -> None:
    project = new_project()
    made = admin.put(where("immutable", f"{project}/**"), {"exceptions": "v0*"}).json()
    told = {
        tag: admin.get("/immutable-rules/explain", repository=f"{project}/app", tag=tag).json()
        for tag in ("v1", "v0.1", "latest")
    }
    assert {tag: each["immutable"] for tag, each in told.items()} == {"v1": True, "v0.1": False, "latest": False}
    assert (told["v1"]["rule"], told["v1"]["sentence"]) == (made["uuid"], made["sentence"])
    assert alice.get("/immutable-rules/explain", repository=f"{project}/app", tag="v1").status_code == 403
    assert problem(admin.get("/immutable-rules/explain", repository=f"{project}/app", tag="v 1")) == "tag-invalid"


def test_rules_that_are_changed_are_told_of(admin: Person) -> None:
    project = new_project()
    made = admin.put(where("immutable", f"{project}/**"), {}).json()
    admin.delete(f"/immutable-rules/{made['uuid']}")
    told = admin.get("/audit", limit=10).json()["items"]
    rules = [(each["action"], each["target"], each["detail"]) for each in told if each["action"].startswith("rule.")]
    assert rules[:2] == [
        ("rule.remove", "immutable", made["sentence"]),
        ("rule.put", "immutable", made["sentence"]),
    ]
