"""The audit log, by the page."""

from __future__ import annotations

import pytest

from tests.unit.admin.site import ADMIN, Person, Site, new_name


def test_what_happened_comes_newest_first_and_by_the_page(anywhere: Site) -> None:
    alice = anywhere.user(is_admin=True)
    names = [new_name() for _ in range(3)]
    for name in names:
        alice.put(f"/users/{name}", {})
    first = alice.get("/audit", who=alice.name, action="principal.add", limit=2).json()
    assert [each["target"] for each in first["items"]] == [names[2], names[1]]
    second = alice.get("/audit", who=alice.name, action="principal.add", limit=2, after=first["next"]).json()
    assert ([each["target"] for each in second["items"]], second["next"]) == ([names[0]], None)
    assert second["items"][0].keys() >= {"at", "who", "address", "outcome", "seal"}


def test_whatever_is_asked_for_must_fit(anywhere: Site) -> None:
    alice = anywhere.user()
    at = anywhere.admin.get("/audit", limit=1).json()["items"][0]["at"]
    asked = {"who": ADMIN, "action": "principal.add"}
    assert alice.name in {each["target"] for each in anywhere.admin.get("/audit", **asked, since=at).json()["items"]}
    assert anywhere.admin.get("/audit", **asked, until="2001-01-01T00:00:00Z").json()["items"] == []
    assert anywhere.admin.get("/audit", **asked, outcome="denied").json()["items"] == []
    assert anywhere.admin.get("/audit", **asked, repository="team/**").json()["items"] == []


def test_it_is_for_administrators(alice: Person) -> None:
    assert alice.get("/audit").status_code == 403


@pytest.mark.parametrize(
    "asked",
    [
        {"after": "x"},
        {"after": "20260101T000000.000000Z-99999999999999999999999"},
        {"since": "yesterday"},
        {"since": "4000000000"},
        {"outcome": "maybe"},
        {"repository": "**/x"},
        {"who": "a\nb"},
    ],
)
def test_what_has_no_answer_is_refused(admin: Person, asked: dict[str, str]) -> None:
    assert admin.get("/audit", **asked).status_code == 422
