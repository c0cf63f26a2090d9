"""What goes wrong is told in one form, under names that stay; and nothing is told that was secret."""

from __future__ import annotations

import httpx
import pytest

from registry.admin.problems import OF_HTTP, TYPES
from registry.core import refusals
from registry.oci.errors import RegistryError
from tests.unit.admin.site import PASSWORD, Person, Site, new_name

JSON = {"content-type": "application/json"}


def named(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return answer.status_code, str(answer.json()["type"]).removeprefix("urn:entrepot:problem:")


def test_every_refusal_of_administration_has_a_name_of_its_own() -> None:
    ours = {each for each in vars(refusals).values() if isinstance(each, type) and each.__module__ == refusals.__name__}
    assert ours <= TYPES.keys()
    names = [*TYPES.values(), *OF_HTTP.values()]
    assert len(set(names)) == len(names)
    assert all(issubclass(each, RegistryError) for each in TYPES)


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"{", JSON, (422, "invalid")),
        (b'"\xff"', JSON, (400, "unreadable")),
        (b"[" * 50_000, JSON, (400, "unreadable")),
        (b"{" + b" " * 70_000 + b"}", JSON, (413, "too-large")),
        (b"", JSON, (422, "invalid")),
        (b"null", JSON, (422, "invalid")),
        (b"{}", {"content-type": "text/plain"}, (422, "invalid")),
        (b"{}", {}, (422, "invalid")),
        (b'{"description": "a\\u0000b"}', JSON, (422, "invalid")),
        (b'{"description": "\\ud800"}', JSON, (422, "invalid")),
        (b'{"description": "a\\nb"}', JSON, (422, "invalid")),
        (b'{"is_admin": "yes"}', JSON, (422, "invalid")),
        (b'{"is_admin": 1}', JSON, (422, "invalid")),
        (b'{"password": ""}', JSON, (422, "invalid")),
        (b'{"password": "a\\u0000"}', JSON, (422, "unfit")),
        (b'{"uuid": "1"}', JSON, (422, "invalid")),
    ],
)
def test_a_body_that_does_not_fit_is_refused_whole(
    admin: Person, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    path = f"/users/{new_name()}"
    assert named(admin.ask("PUT", path, content=body, headers=headers)) == expected
    assert admin.get(path).status_code == 404


def test_what_was_sent_is_not_repeated(admin: Person) -> None:
    secret = "a password that nobody is to read"
    documents = [
        {"password": [secret]},
        {"password": secret, "pasword": secret},
        {"password": secret, "is_admin": secret},
    ]
    for document in documents:
        answer = admin.put(f"/users/{new_name()}", document)
        assert named(answer) == (422, "invalid")
        assert secret not in answer.text


def test_what_is_wrong_is_told_with_its_place(admin: Person) -> None:
    answer = admin.put(f"/users/{new_name()}", {"is_admin": "yes", "admin": True})
    assert {each["where"] for each in answer.json()["errors"]} == {"body/is_admin", "body/admin"}
    assert admin.get("/users", limit=0).json()["errors"][0]["where"] == "query/limit"


@pytest.mark.parametrize("limit", ["0", "-1", "501", "1e3", "x", ""])
def test_a_page_has_a_length_that_one_can_have(admin: Person, limit: str) -> None:
    assert named(admin.get("/users", limit=limit)) == (422, "invalid")


@pytest.mark.parametrize("path", ["/nothing", "/users/", "/users/a/b", "/users/a%2Fb", "/docs", "/redoc"])
def test_a_path_that_is_none_is_told_in_the_same_form(admin: Person, path: str) -> None:
    assert named(admin.get(path)) == (404, "route-unknown")


def test_a_method_that_is_none_is_told_with_those_that_are(admin: Person) -> None:
    answer = admin.ask("PATCH", "/users/alice")
    assert named(answer) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "DELETE, GET, PUT"


@pytest.mark.parametrize("name", ["Alice", "a b", "anyone", "@devs", "team+ci", "a" * 65, "-", "local"])
def test_a_name_that_no_user_can_have_is_refused_with_the_reason(admin: Person, name: str) -> None:
    answer = admin.put(f"/users/{name}", {})
    assert named(answer) == (422, "unfit")
    assert "reason: " in answer.json()["detail"]


@pytest.mark.parametrize("name", ["a%00b", "a%0Ab", "a" * 141])
def test_a_name_that_nothing_can_have_is_not_even_looked_for(admin: Person, name: str) -> None:
    for method in ("GET", "DELETE"):
        assert named(admin.ask(method, f"/users/{name}")) == (422, "invalid")


@pytest.mark.parametrize("pattern", ["", "UPPER", "team//app", "**/app", "a***", "a" * 256, "team/%0a"])
def test_a_pattern_that_is_none_is_refused(admin: Person, pattern: str) -> None:
    answer = admin.put(f"/grants/anyone/allow?pattern={pattern}", {"actions": ["pull"]})
    assert answer.status_code == 422


@pytest.mark.parametrize("actions", [[], ["fly"], "pull", ["pull"] * 21, [None]])
def test_actions_that_are_none_are_refused(admin: Person, actions: object) -> None:
    assert admin.put("/grants/anyone/allow?pattern=team/**", {"actions": actions}).status_code == 422


def test_who_is_granted_something_is_there(admin: Person) -> None:
    answer = admin.put(f"/grants/{new_name()}/allow?pattern=team/**", {"actions": ["pull"]})
    assert named(answer) == (404, "principal-unknown")


@pytest.mark.parametrize("expires", ["2001-01-01T00:00:00Z", "2090-01-01T00:00:00", "tomorrow", 4_000_000_000])
def test_a_token_ends_at_an_instant_to_come(alice: Person, expires: object) -> None:
    assert alice.post(f"/users/{alice.name}/tokens", {"expires": expires}).status_code == 422


def test_a_wrong_password_is_told_as_such(registry: Site, alice: Person) -> None:
    assert named(registry.person(alice.name, "wrong").get("/me")) == (401, "unauthorized")
    assert registry.person(alice.name, PASSWORD).get("/me").status_code == 200


def test_no_answer_is_kept_by_anybody(registry: Site, admin: Person) -> None:
    for answer in (admin.get("/me"), admin.get("/nothing"), registry.client().get("/api/v1/me")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_head_is_get_without_its_body(admin: Person, alice: Person) -> None:
    answer = admin.ask("HEAD", f"/users/{alice.name}")
    assert (answer.status_code, answer.headers["etag"]) == (200, admin.get(f"/users/{alice.name}").headers["etag"])
