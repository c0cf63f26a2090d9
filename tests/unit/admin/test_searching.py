"""Finding repositories: what may not be pulled is not there."""

from __future__ import annotations

import pytest

from tests.support.client import RegistryClient
from tests.support.images import index
from tests.support.login import BearerLogin
from tests.unit.admin.site import ADMIN, PASSWORD, Person, Site, new_project


@pytest.fixture(scope="module")
def project(anywhere: Site) -> str:
    """One with four repositories."""
    project = new_project()
    http = anywhere.client()
    http.auth = BearerLogin(ADMIN, PASSWORD)
    client = RegistryClient(http)
    for name in ("app", "app-two", "secret-app", "web"):
        client.push_image(f"{project}/{name}", index(annotations={"made for": name}), "v1")
    return project


def found(person: Person, **parameters: str | int) -> list[str]:
    return [each["name"] for each in person.get("/repositories", **parameters).json()["items"]]


def test_a_part_of_a_name_finds_it_by_the_page(anywhere: Site, project: str) -> None:
    names = [f"{project}/{each}" for each in ("app", "app-two", "secret-app")]
    first = anywhere.admin.get("/repositories", q="APP", after=f"{project}/", limit=2).json()
    assert ([each["name"] for each in first["items"]], first["next"]) == (names[:2], names[1])
    assert found(anywhere.admin, q="app", after=first["next"], limit=1) == names[2:]


def test_what_may_not_be_pulled_is_not_found(anywhere: Site, project: str) -> None:
    alice = anywhere.user()
    assert found(alice, q="app") == []
    anywhere.grant(alice.name, f"{project}/*", "reader")
    anywhere.grant(alice.name, f"{project}/secret-*", "pull", effect="deny")
    assert found(alice, q="app") == [f"{project}/app", f"{project}/app-two"]
    # A page is as long as it was asked to be, whatever is hidden before its end.
    assert found(alice, q="", after=f"{project}/app-two", limit=1) == [f"{project}/web"]


def test_a_token_with_limits_finds_what_lies_within_them(anywhere: Site, project: str) -> None:
    limits = [{"pattern": f"{project}/web", "actions": ["pull"]}]
    made = anywhere.admin.post(f"/users/{ADMIN}/tokens", {"limits": limits}).json()
    assert found(anywhere.bearer(made["secret"])) == [f"{project}/web"]


def test_a_wildcard_of_sql_is_a_character_like_others(anywhere: Site, project: str) -> None:
    assert found(anywhere.admin, q="%") == found(anywhere.admin, q="app_two") == []
