"""The token service: grants what may be granted, and no word more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from httpx import Client
from starlette.applications import Starlette

from tests.support.inprocess import URL, in_process
from tests.unit.api.conftest import PASSWORD, Gate, basic

ADMIN, BOB = {"Authorization": basic("admin", PASSWORD)}, {"Authorization": basic("bob", PASSWORD)}


@contextmanager
def asked(gate: Gate) -> Iterator[Client]:
    with (
        in_process(Starlette(routes=gate.service.routes())) as transport,
        Client(transport=transport, base_url=URL) as client,
    ):
        yield client


@pytest.fixture
def client(gate: Gate) -> Iterator[Client]:
    with asked(gate) as client:
        yield client


def granted(gate: Gate, client: Client, *scopes: str, headers: dict[str, str] | None = None) -> list[str]:
    """The scopes of the token that such a request gets."""
    answer = client.get("/token", params={"service": "entrepot", "scope": list(scopes)}, headers=headers)
    assert answer.status_code == 200
    claims = gate.tokens.verify(answer.json()["token"], datetime.now(UTC))
    return [str(each) for each in claims.scopes]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (["repository:team/app:pull,push"], ["repository:team/app:pull,push"]),
        (["repository:team/app:pull repository:other:push"], ["repository:team/app:pull", "repository:other:push"]),
        (["repository:team/app:pull", "repository:other:push"], ["repository:team/app:pull", "repository:other:push"]),
        (["repository:team/app:*"], ["repository:team/app:delete,pull,push"]),
        (["repository:team/app:fly,pull"], ["repository:team/app:pull"]),
        (["registry:catalog:*"], ["registry:catalog:*"]),
        (["registry:other:*"], []),
        (["repository:Not/A/Name:pull"], []),
        (["plugin:team/app:pull"], []),
        (["nonsense"], []),
        ([""], []),
        ([], []),
    ],
)
def test_an_admin_is_granted_what_there_is(gate: Gate, client: Client, asked: list[str], given: list[str]) -> None:
    assert granted(gate, client, *asked, headers=ADMIN) == given


def test_who_may_nothing_gets_a_token_for_nothing(gate: Gate, client: Client) -> None:
    assert granted(gate, client, "repository:team/app:pull,push", "registry:catalog:*") == []
    # Who has a name may ask what there is, and is shown nothing.
    assert granted(gate, client, "repository:team/app:pull,push", "registry:catalog:*", headers=BOB) == [
        "registry:catalog:*"
    ]


@pytest.mark.parametrize("headers", [BOB, None])
def test_who_may_pull_is_granted_that_alone(gate: Gate, headers: dict[str, str] | None) -> None:
    gate.anonymous_pull = True
    gate.__post_init__()
    with asked(gate) as client:
        assert granted(gate, client, "repository:team/app:*", headers=headers) == ["repository:team/app:pull"]
        assert granted(gate, client, "registry:catalog:*", headers=headers) == ["registry:catalog:*"]


def test_a_token_names_its_principal_and_its_credential(gate: Gate, client: Client) -> None:
    document = client.get("/token", headers=ADMIN).json()
    identity = gate.recognise("Bearer " + document["token"])
    assert identity.caller.name == "admin"
    assert gate.recognise("Bearer " + client.get("/token").json()["token"]).caller.is_anonymous
    assert document["access_token"] == document["token"]
    assert document["expires_in"] in {299, 300}
    assert datetime.strptime(document["issued_at"], "%Y-%m-%dT%H:%M:%S%z").tzinfo is not None


@pytest.mark.parametrize(
    "headers", [{"Authorization": basic("admin", "wrong")}, {"Authorization": "Bearer x"}, {"Authorization": "Basic"}]
)
def test_a_claim_that_is_not_proved_gets_no_token_not_even_an_anonymous_one(
    client: Client, headers: dict[str, str]
) -> None:
    answer = client.get("/token", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"


def test_a_form_does_what_a_query_does(gate: Gate, client: Client) -> None:
    form = {"grant_type": "password", "username": "admin", "password": PASSWORD, "service": "entrepot"}
    answer = client.post("/token", data=form | {"scope": "repository:team/app:pull repository:b:push"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    claims = gate.tokens.verify(answer.json()["access_token"], datetime.now(UTC))
    assert [str(each) for each in claims.scopes] == ["repository:team/app:pull", "repository:b:push"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"grant_type": "refresh_token"}, 401),
        ({"grant_type": "refresh_token", "refresh_token": PASSWORD}, 401),
        ({"grant_type": ""}, 400),
        ({"service": "another"}, 400),
        ({"password": "wrong"}, 401),
        ({"username": "nobody"}, 401),
        ({"username": "admin\n"}, 401),
        ({"username": ""}, 401),
        ({"scope": "x" * 70_000}, 413),
    ],
)
def test_a_form_that_does_not_fit_is_refused(client: Client, change: dict[str, str], status: int) -> None:
    form = {"grant_type": "password", "username": "admin", "password": PASSWORD} | change
    assert client.post("/token", data=form).status_code == status


def test_another_service_is_not_ours_to_grant(client: Client) -> None:
    assert client.get("/token", params={"service": "another"}).status_code == 400
