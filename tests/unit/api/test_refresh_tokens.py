"""What a client keeps in place of a password: given when it asks, good for no more than what was shown, nor longer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Client, Response
from starlette.applications import Starlette

from registry.auth.opaque import Opaque
from registry.core.credentials import CredentialService, Made
from registry.core.facts import CredentialKind
from registry.core.granting import GrantService
from registry.core.people import PeopleService
from registry.core.rights import parse_limits
from tests.support.inprocess import URL, in_process
from tests.unit.api.conftest import PASSWORD, Gate, basic

SCOPE = "repository:team/app:pull,push"
REFRESH, SESSION, TOKEN = CredentialKind.REFRESH, CredentialKind.SESSION, CredentialKind.TOKEN


class Desk:
    """The token service, and Bob, who may write below `team/`."""

    def __init__(self, gate: Gate, client: Client) -> None:
        self.gate, self.client, self.admin = gate, client, gate.house.admin
        metadata = gate.house.metadata
        self.people, self.credentials = PeopleService(metadata), CredentialService(metadata)
        self.bob = self.people.get("bob").id
        GrantService(metadata).put("bob", "team/**", ["writer"], self.admin)

    def give(self, kind: CredentialKind, **more: Any) -> tuple[str, str]:
        """One of Bob's: its text, and its UUID."""
        made = Opaque.generate(kind)
        given = self.credentials.give(self.bob, kind, Made(made.hashed, made.hint), self.admin, **more)
        return made.text, given.uuid

    def get(self, username: str, password: str, **query: str) -> Response:
        asked = {"service": "entrepot", "scope": SCOPE} | query
        return self.client.get("/token", params=asked, headers={"Authorization": basic(username, password)})

    def post(self, **form: str) -> Response:
        return self.client.post("/token", data={"service": "entrepot", "scope": SCOPE} | form)

    def kept(self, username: str = "bob", password: str = PASSWORD) -> str:
        """What a client is given to keep."""
        text: str = self.get(username, password, offline_token="true", client_id="docker").json()["refresh_token"]
        return text

    def refresh(self, secret: str) -> Response:
        return self.post(grant_type="refresh_token", refresh_token=secret)

    def granted(self, answer: Response) -> list[str]:
        assert answer.status_code == 200
        claims = self.gate.tokens.verify(answer.json()["access_token"], datetime.now(UTC))
        return [str(each) for each in claims.scopes]


@pytest.fixture
def desk(gate: Gate) -> Iterator[Desk]:
    with (
        in_process(Starlette(routes=gate.service.routes())) as transport,
        Client(transport=transport, base_url=URL) as client,
    ):
        yield Desk(gate, client)


def test_it_is_given_to_who_asks_for_it(desk: Desk) -> None:
    form = {"grant_type": "password", "username": "bob", "password": PASSWORD}
    asked = desk.get("bob", PASSWORD, offline_token="true"), desk.post(access_type="offline", **form)
    for answer in asked:
        assert Opaque.parse(answer.json()["refresh_token"]) is not None
        assert answer.headers["cache-control"] == "no-store"
        assert desk.granted(desk.refresh(answer.json()["refresh_token"])) == [SCOPE]
    others = desk.get("bob", PASSWORD), desk.get("bob", PASSWORD, offline_token="false"), desk.post(**form)
    assert not any("refresh_token" in each.json() for each in others)
    # Nobody keeps anything for who has no name.
    assert "refresh_token" not in desk.client.get("/token", params={"offline_token": "true"}).json()


def test_it_is_its_owner_who_comes_back(desk: Desk) -> None:
    answer = desk.refresh(desk.kept())
    caller = desk.gate.recognise("Bearer " + answer.json()["access_token"]).caller
    assert (caller.name, caller.is_admin) == ("bob", False)


def test_it_opens_no_more_than_the_token_that_was_shown(desk: Desk) -> None:
    limits = parse_limits("pull team/**")
    assert limits is not None
    limited, _ = desk.give(TOKEN, limits=limits.grants)
    answer = desk.refresh(desk.kept(password=limited))
    assert desk.granted(answer) == ["repository:team/app:pull"]
    caller = desk.gate.recognise("Bearer " + answer.json()["access_token"]).caller
    assert caller.limits == limits


def test_it_ends_with_the_token_that_was_shown(desk: Desk) -> None:
    token, uuid = desk.give(TOKEN)
    kept = desk.kept(password=token)
    bearer = "Bearer " + desk.refresh(kept).json()["access_token"]
    assert desk.gate.recognise(bearer).caller.name == "bob"
    desk.credentials.revoke(desk.bob, uuid, desk.admin)
    assert desk.refresh(kept).status_code == 401
    with pytest.raises(Exception, match="invalid token"):
        desk.gate.recognise(bearer)


def test_it_outlives_the_token_that_was_shown_by_no_moment(desk: Desk) -> None:
    token, _ = desk.give(TOKEN, lifetime=timedelta(hours=1))
    desk.kept(password=token)
    ends = [each.expires for each in desk.credentials.list(desk.bob) if each.kind in {TOKEN, REFRESH}]
    assert len(ends) == 2
    assert len(set(ends)) == 1


def test_it_ends_with_the_password_that_was_shown(desk: Desk) -> None:
    kept = desk.kept()
    desk.people.set_password("bob", desk.gate.passwords.hash("another"), desk.admin)
    assert desk.refresh(kept).status_code == 401
    assert desk.granted(desk.refresh(desk.kept(password="another"))) == [SCOPE]


@pytest.mark.parametrize("end", ["disable", "remove"])
def test_it_is_of_no_use_to_who_is_disabled_or_removed(desk: Desk, end: str) -> None:
    kept = desk.kept()
    getattr(desk.people, end)("bob", desk.admin)
    assert desk.refresh(kept).status_code == 401


def test_a_robot_keeps_one_too_and_loses_it_with_its_secret(desk: Desk) -> None:
    made = Opaque.generate(TOKEN)
    desk.people.add_robot("team", "ci", desk.admin)
    desk.people.rotate("team+ci", Made(made.hashed, made.hint), desk.admin)
    kept = desk.kept("team+ci", made.text)
    assert desk.granted(desk.refresh(kept)) == []
    desk.people.rotate("team+ci", Made(Opaque.generate(TOKEN).hashed, ""), desk.admin)
    assert desk.refresh(kept).status_code == 401


@pytest.mark.parametrize("client", ["docker", "a\0b", "a\nb", "x" * 5000, "\u202e", ""])
def test_whatever_a_client_calls_itself_is_kept_as_a_line(desk: Desk, client: str) -> None:
    answer = desk.get("bob", PASSWORD, offline_token="true", client_id=client)
    assert "refresh_token" in answer.json()
    (label,) = [each.label for each in desk.credentials.list(desk.bob) if each.kind is REFRESH]
    assert len(label) <= 100
    assert label.isprintable()


# What is what


def test_a_token_is_a_password_under_its_owners_name_alone(desk: Desk) -> None:
    token, _ = desk.give(TOKEN)
    assert desk.granted(desk.get("bob", token)) == [SCOPE]
    for name in ("admin", "Bob", "", "nobody", "(anonymous)", "bob "):
        assert desk.get(name, token).status_code == 401


@pytest.mark.parametrize("kind", [REFRESH, SESSION])
def test_what_a_client_or_a_browser_keeps_is_no_password(desk: Desk, kind: CredentialKind) -> None:
    secret, _ = desk.give(kind)
    assert desk.get("bob", secret).status_code == 401
    assert desk.post(grant_type="password", username="bob", password=secret).status_code == 401
    with pytest.raises(Exception, match="incorrect username or password"):
        desk.gate.recognise(basic("bob", secret))


@pytest.mark.parametrize("kind", [TOKEN, SESSION])
def test_only_what_was_given_to_be_kept_refreshes(desk: Desk, kind: CredentialKind) -> None:
    secret, _ = desk.give(kind)
    assert desk.refresh(secret).status_code == 401


def test_the_prefix_decides_nothing_that_the_database_says_otherwise(desk: Desk) -> None:
    """A row of another kind under the hash of a refresh token: neither way it opens anything."""
    made = Opaque.generate(REFRESH)
    desk.credentials.give(desk.bob, TOKEN, Made(made.hashed, made.hint), desk.admin)
    assert desk.refresh(made.text).status_code == 401
    assert desk.get("bob", made.text).status_code == 401


@pytest.mark.parametrize("meddle", [lambda text: text[:-1], lambda text: text + "0", lambda text: text.swapcase()])
def test_a_secret_that_is_not_quite_it_is_none(desk: Desk, meddle: Any) -> None:
    assert desk.refresh(meddle(desk.kept())).status_code == 401
