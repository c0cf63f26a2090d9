"""A push that takes longer than its token lives: the token is judged when a request begins, never in its middle."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.claims import is_refused
from tests.conformance.tokens import Bearer
from tests.support.client import RegistryClient
from tests.support.images import digest_of, random_bytes
from tests.support.login import Challenge
from tests.support.registrar import Login
from tests.system.people import Town, town

LIFETIME = 1.0
REPOSITORY = "team/app"
DATA = random_bytes("a long push", 200_000)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path / "data", token_lifetime="1s") as place:
        yield place


@pytest.fixture
def login(place: Town) -> Login:
    login = place.people.user("alice")
    place.people.grant("alice", "team/**", "writer")
    return login


def with_a_token(place: Town, login: Login) -> Bearer:
    with place.server.http() as http:
        asked = {"service": "entrepot", "scope": f"repository:{REPOSITORY}:pull,push"}
        return Bearer(http.get("/token", params=asked, auth=login).raise_for_status().json()["token"])


def slowly(data: bytes, meanwhile: Callable[[], object] = lambda: None) -> Iterator[bytes]:
    """Half of it, and the rest when the token has ended."""
    yield data[: len(data) // 2]
    time.sleep(LIFETIME * 1.5)
    meanwhile()
    yield data[len(data) // 2 :]


def test_a_token_that_ends_in_the_middle_of_a_body_does_not_end_the_push(place: Town, login: Login) -> None:
    with place.server.http(auth=with_a_token(place, login)) as http:
        caller = RegistryClient(http)
        location = caller.start_upload(REPOSITORY).headers["location"]
        assert caller.patch(location, slowly(DATA)).status_code == 202
        late = caller.close_upload(location, digest_of(DATA))
        assert is_refused(late, 401, "UNAUTHORIZED")
        assert Challenge.of(late).parameters["error"] == "invalid_token"
    with place.server.http(auth=with_a_token(place, login)) as http:
        caller = RegistryClient(http)
        # Nothing that arrived is lost to the 401: a client fetches another token and goes on.
        assert caller.close_upload(location, digest_of(DATA)).status_code == 201
        assert caller.blob(REPOSITORY, digest_of(DATA)).content == DATA


def test_a_whole_layer_in_one_put_is_served_though_its_token_has_ended(place: Town, login: Login) -> None:
    with place.server.http(auth=with_a_token(place, login)) as http:
        caller = RegistryClient(http)
        location = caller.start_upload(REPOSITORY).headers["location"]
        assert caller.close_upload(location, digest_of(DATA), slowly(DATA)).status_code == 201


def test_a_right_taken_away_in_the_middle_of_a_body_ends_the_push_with_the_next_request(
    place: Town, login: Login
) -> None:
    with place.server.http(auth=login) as http:
        caller = RegistryClient(http)
        location = caller.start_upload(REPOSITORY).headers["location"]
        taken = slowly(DATA, lambda: place.people.take_back("alice", "team/**"))
        assert caller.patch(location, taken).status_code == 202
        assert is_refused(caller.close_upload(location, digest_of(DATA)), 403, "DENIED")
    with place.client() as admin:
        assert admin.blob(REPOSITORY, digest_of(DATA)).status_code == 404
