"""Passwords tried by the hundred: few of them are hashed, and nobody else notices."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.client import RegistryClient
from tests.support.images import tiny_image
from tests.support.login import BearerLogin
from tests.support.server import RunningServer, Setting
from tests.system.stuffing import Attack, Credentials, client_from, going_on, slowest_of_a_hundred
from tests.system.waiting import eventually

ATTACKER, COLLEAGUE, PROXY = "127.0.0.66", "127.0.0.7", "127.0.0.9"
WORKERS, SECONDS = 2, 4.0
AT_ONCE = 2 * WORKERS
"""Threads that hash: each may have been let in by what the others had not counted yet."""
NAME = "system/attacked"


def started(folder: Path, **settings: Setting) -> RunningServer:
    return RunningServer(folder / "data", {"anonymous_pull": True, **settings}, workers=WORKERS)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with started(tmp_path) as server:
        with server.http(auth=BearerLogin(*server.admin)) as http:
            RegistryClient(http).push_image(NAME, tiny_image(NAME), "1")
        yield server


def status(server: RunningServer, address: str, name: str, password: str, **headers: str) -> int:
    with client_from(server, address) as http:
        return http.get("/v2/", auth=(name, password), headers=headers).status_code


def test_of_a_hundred_guesses_a_second_ten_are_hashed_and_the_owner_gets_in(server: RunningServer) -> None:
    attack = Attack(server, ATTACKER, lambda number: ("admin", f"guess {number}"))
    with going_on(attack, SECONDS):
        eventually("the attacker is slowed down", lambda: status(server, ATTACKER, "admin", "guess") == 429)
        assert status(server, COLLEAGUE, *server.admin) == 200
    assert set(attack.answers) == {401, 429}
    # Two workers share what they count: not ten each.
    assert attack.answers[401] <= 10 + SECONDS / 30 + AT_ONCE
    assert 0 < min(attack.waits) <= max(attack.waits) <= (1 + AT_ONCE) * 30
    assert status(server, ATTACKER, *server.admin) == 429


def test_stolen_lists_are_tried_for_fifty_accounts_and_no_more(server: RunningServer) -> None:
    attack = Attack(server, ATTACKER, lambda number: (f"user{number}", "hunter2"))
    with going_on(attack, SECONDS):
        assert status(server, COLLEAGUE, *server.admin) == 200
    assert set(attack.answers) == {401, 429}
    assert attack.answers[401] <= 50 + SECONDS / 30 + AT_ONCE


def test_who_pulls_meanwhile_does_not_notice(server: RunningServer) -> None:
    path = f"/v2/{NAME}/manifests/1"

    # Beside as many requests that prove nothing: what the attacker does costs this machine something in both.
    def waits(tried: Callable[[int], Credentials], address: str) -> float:
        with going_on(Attack(server, address, tried), SECONDS):
            return slowest_of_a_hundred(server, path, SECONDS - 1)

    # Three times from three addresses, for whatever else this machine does meanwhile.
    ratios = [
        waits(lambda number: (f"user{number}", "hunter2"), address) / waits(lambda _: None, address)
        for address in (f"127.0.0.{number}" for number in range(66, 69))
    ]
    assert min(ratios) <= 3, ratios


def test_an_attacker_has_no_other_address_by_saying_so(server: RunningServer) -> None:
    for number in range(10):
        told = f"198.51.100.{number}"
        answer = status(server, ATTACKER, "admin", "guess", **{"X-Forwarded-For": told, "Forwarded": f"for={told}"})
        assert answer == 401
    assert status(server, ATTACKER, "admin", "guess", **{"X-Forwarded-For": "198.51.100.99"}) == 429
    assert status(server, COLLEAGUE, "admin", "guess") == 401


def test_behind_a_trusted_proxy_each_client_is_its_own(tmp_path: Path) -> None:
    with started(tmp_path, trusted_proxies=PROXY, login_attempts=2, requests_anonymous=5) as server:

        def through(client: str, name: str, password: str) -> int:
            return status(server, PROXY, name, password, **{"X-Forwarded-For": f"203.0.113.1, {client}"})

        guesses = [through("198.51.100.1", "admin", "guess") for _ in range(3)]
        assert guesses == [401, 401, 429]
        assert through("198.51.100.2", *server.admin) == 200
        # IPv6 by the network that one customer has.
        assert [through(f"2001:db8::{number}", "bob", "guess") for number in range(3)] == [401, 401, 429]
        assert through("2001:db8:0:1::1", "bob", "guess") == 401
        server.stop()
        told = [json.loads(line) for line in server.output().splitlines() if '"remote"' in line]
    # Each worker writes its lines when it likes.
    told.sort(key=lambda line: line["time"])
    remotes = [line["remote"] for line in told if line["path"] == "/v2/"]
    assert remotes[:4] == ["198.51.100.1"] * 3 + ["198.51.100.2"]
    assert "2001:db8::2" in remotes


def test_a_caller_over_its_limit_hears_when_to_come_again(tmp_path: Path) -> None:
    with started(tmp_path, requests_per_caller=20) as server, server.http(auth=server.admin) as http:
        answers = [http.get("/v2/") for _ in range(2 * 20 + 5)]
        refused = [answer for answer in answers if answer.status_code == httpx.codes.TOO_MANY_REQUESTS]
        # One connection is one worker's, which counts for itself.
        assert len(answers) - len(refused) in range(20, 2 * 20 + 1)
        assert refused
        assert refused[0].json()["errors"][0]["code"] == "TOOMANYREQUESTS"
        assert int(refused[0].headers["retry-after"]) >= 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_token_service_counts_them_too(tmp_path: Path, method: str) -> None:
    form = {"grant_type": "password", "username": "admin", "password": "guess", "service": "entrepot"}
    with started(tmp_path, login_attempts=2, login_interval="1h") as server, server.http() as http:
        ways = {"GET": {"auth": ("admin", "guess")}, "POST": {"data": form}}
        answers = [http.request(method, "/token", **ways[method]) for _ in range(4)]  # type: ignore[arg-type]  # either
        assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
        assert answers[2].json() == {
            "errors": [{"code": "TOOMANYREQUESTS", "message": "too many failed logins", "detail": {}}]
        }
        assert 3500 < int(answers[2].headers["retry-after"]) <= 3600
        # Who claims nothing fails at nothing.
        assert http.get("/token").status_code == 200
