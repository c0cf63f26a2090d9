"""Entity tags, so that nobody overwrites what it has not seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.unit.admin.site import ADMIN, PASSWORD, Person, Site, new_name, new_project

MANY = 6
KINDS = ("user", "group", "robot", "grant", "immutable", "retention")


def place(registry: Site, kind: str) -> tuple[str, list[dict[str, object]]]:
    """Where one of a kind may be put, and what: three different documents."""
    described: list[dict[str, object]] = [{"description": each} for each in ("first", "second", "third")]
    if kind == "grant":
        actions: list[dict[str, object]] = [{"actions": [each]} for each in ("pull", "push", "delete")]
        return f"/grants/{registry.user().name}/allow?pattern={new_project()}/**", actions
    if kind in {"immutable", "retention"}:
        said: list[dict[str, object]] = [{"exceptions": each} for each in ("first", "second", "third")]
        kept: dict[str, object] = {"keeps": {"last": 1}} if kind == "retention" else {}
        return f"/{kind}-rules?repositories={new_project()}/**", [each | kept for each in said]
    paths = {"user": "/users/{}", "group": "/groups/{}", "robot": "/projects/{}/robots/ci"}
    return paths[kind].format(new_name()), described


def read(admin: Person, path: str, put: httpx.Response) -> httpx.Response:
    return admin.get(found_at(path, put))


def found_at(path: str, put: httpx.Response) -> str:
    """Where what was put there is read, and taken away."""
    listed = next((each for each in ("/grants", "/immutable-rules", "/retention-rules") if path.startswith(each)), None)
    return f"{listed}/{put.json()['uuid']}" if listed else path


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_who_change_the_same_the_later_is_told(registry: Site, admin: Person, kind: str) -> None:
    path, (first, second, third) = place(registry, kind)
    made = admin.put(path, first)
    seen = read(admin, path, made).headers["etag"]
    assert seen == made.headers["etag"]
    quicker = admin.put(path, second, if_match=seen)
    assert quicker.status_code == 200
    slower = admin.put(path, third, if_match=seen)
    assert (slower.status_code, slower.json()["type"]) == (412, "urn:entrepot:problem:changed")
    now = read(admin, path, made)
    assert (now.json(), now.headers["etag"]) == (quicker.json(), quicker.headers["etag"])


@pytest.mark.parametrize("kind", KINDS)
def test_who_only_wants_to_make_one_replaces_none(registry: Site, admin: Person, kind: str) -> None:
    path, (first, second, _) = place(registry, kind)
    assert admin.put(path, first, if_none_match="*").status_code == 201
    assert admin.put(path, second, if_none_match="*").status_code == 412


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("match", ["*", '"12345678-1"'])
def test_who_only_wants_to_replace_one_makes_none(registry: Site, admin: Person, kind: str, match: str) -> None:
    path, (first, second, _) = place(registry, kind)
    assert admin.put(path, first, if_match=match).status_code == 412
    made = admin.put(path, first)
    assert made.status_code == 201
    assert admin.put(path, second, if_match=f'"12345678-1", {made.headers["etag"]}').status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_changed_meanwhile_is_not_removed(registry: Site, admin: Person, kind: str) -> None:
    path, (first, second, _) = place(registry, kind)
    seen = admin.put(path, first)
    changed = admin.put(path, second)
    where = found_at(path, seen)
    assert admin.delete(where, if_match=seen.headers["etag"]).status_code == 412
    assert admin.get(where).status_code == 200
    assert admin.delete(where, if_match=changed.headers["etag"]).status_code == 204
    assert admin.delete(where, if_match="*").status_code == 404


def test_whoever_has_the_name_later_is_somebody_else(admin: Person) -> None:
    path = f"/users/{new_name()}"
    former = admin.put(path, {}).headers["etag"]
    admin.delete(path)
    assert admin.put(path, {}).headers["etag"] != former
    assert admin.put(path, {"is_admin": True}, if_match=former).status_code == 412


def test_a_weak_tag_is_not_enough_to_replace_and_enough_to_leave_alone(admin: Person) -> None:
    path = f"/users/{new_name()}"
    weak = f"W/{admin.put(path, {}).headers['etag']}"
    assert admin.put(path, {}, if_match=weak).status_code == 412
    assert admin.put(path, {}, if_none_match=weak).status_code == 412
    assert admin.put(path, {}, if_none_match='W/"another"').status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_of_many_who_change_the_same_at_once_one_succeeds(anywhere: Site, kind: str) -> None:
    path, (first, *_) = place(anywhere, kind)
    seen = anywhere.admin.put(path, first).headers["etag"]
    assert at_once(anywhere, path, kind, if_match=seen) == [200] + [412] * (MANY - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_of_many_who_make_the_same_at_once_one_succeeds(anywhere: Site, kind: str) -> None:
    path, _ = place(anywhere, kind)
    assert at_once(anywhere, path, kind, if_none_match="*") == [201] + [412] * (MANY - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_many_who_put_what_they_want_at_once_all_succeed(anywhere: Site, kind: str) -> None:
    path, _ = place(anywhere, kind)
    assert set(at_once(anywhere, path, kind)) <= {200, 201}


def at_once(registry: Site, path: str, kind: str, **condition: str) -> list[int]:
    """Many put something else each, at the same time; the statuses, in order."""
    actions = [["push"], ["delete"], ["create"], ["move"], ["admin"], ["pull", "push"]]
    said = {"grant": "actions", "immutable": "exceptions", "retention": "exceptions"}.get(kind, "description")
    documents: list[dict[str, object]] = [{said: each if kind == "grant" else each[0]} for each in actions]
    if kind == "retention":
        documents = [each | {"keeps": {"last": 1}} for each in documents]
    with ThreadPoolExecutor(MANY) as pool:
        return sorted(
            answer.status_code
            for answer in pool.map(
                lambda each: registry.person(ADMIN, PASSWORD).put(path, each, **condition), documents
            )
        )
