"""`entrepot token …`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from registry.auth.opaque import Opaque
from registry.core.credentials import CredentialService, Made
from registry.core.facts import CredentialKind
from tests.unit.cli_people.desk import Desk


@pytest.fixture(autouse=True)
def people(desk: Desk) -> None:
    desk.does("user add alice --generate")


def sign_in(desk: Desk, kind: CredentialKind, label: str) -> None:
    """What a browser or a docker login leaves behind."""
    made = Opaque.generate(kind)
    with desk.facts() as facts:
        alice = facts.observe(lambda tx: tx.people.find("alice"))
        caller = facts.observe(lambda tx: tx.accounts.find("alice"))
        assert alice is not None
        assert caller is not None
        CredentialService(facts).give(alice.id, kind, Made(made.hashed, made.hint), caller, label=label)


def test_a_token_is_printed_once_with_the_line_for_docker(desk: Desk) -> None:
    lines = desk.does("token add alice --label laptop --expires 30d --limit", "pull team/**")
    secret = lines[1].removeprefix("  secret, shown this once: ")
    assert Opaque.parse(secret) is not None
    assert lines[2] == "  docker login -u alice 127.0.0.1:5000"
    (listed,) = desk.json("token list alice")
    assert (listed["kind"], listed["label"], listed["hint"]) == ("token", "laptop", secret[:9])
    assert (listed["limits"], listed["used"]) == (["pull team/**"], None)
    assert secret not in json.dumps(listed)
    assert secret not in "\n".join(desk.does("token list alice"))
    with closing(sqlite3.connect(desk.data / "registry.db")) as database:
        assert secret not in "\n".join(database.iterdump())


def test_limits_are_written_like_grants(desk: Desk) -> None:
    given = desk.json("token add alice --limit", "writer team/**", "--limit", "pull other/*")
    assert given["limits"] == ["pull other/*", "pull,push team/**"]
    assert desk.refused("token add alice --limit", "pull")[0] == 2
    assert len(desk.json("token list alice")) == 1


def test_sessions_and_refresh_tokens_are_listed_and_the_password_is_not(desk: Desk) -> None:
    desk.does("token add alice")
    sign_in(desk, CredentialKind.SESSION, "firefox")
    sign_in(desk, CredentialKind.REFRESH, "docker\x1b[31m")
    assert [each["kind"] for each in desk.json("token list alice")] == ["refresh", "session", "token"]
    assert "\x1b" not in "\n".join(desk.does("token list alice"))


def test_one_is_taken_back_by_its_uuid(desk: Desk) -> None:
    kept, gone = (desk.json("token add alice")["uuid"] for _ in range(2))
    assert desk.json(f"token revoke alice {gone}") == {"name": "alice", "revoked": 1}
    assert [each["uuid"] for each in desk.json("token list alice")] == [kept]
    assert desk.refused(f"token revoke alice {gone}") == (1, f"no such credential: {gone}")
    assert desk.refused(f"token revoke admin {kept}")[0] == 1


def test_all_are_taken_back_but_the_password(desk: Desk) -> None:
    desk.does("token add alice")
    sign_in(desk, CredentialKind.SESSION, "firefox")
    sign_in(desk, CredentialKind.REFRESH, "docker")
    assert desk.does("token revoke alice --all") == ["taken back from alice: 3"]
    assert desk.json("token list alice") == []
    assert desk.password_of("alice") is not None
    assert desk.events()[-1] == ("credential.revoke", "admin", "alice")
    assert desk.json("token revoke alice --all") == {"name": "alice", "revoked": 0}


def test_a_password_is_no_token_to_be_taken_back(desk: Desk) -> None:
    (password,) = desk.json("user show alice")["credentials"]
    assert desk.refused(f"token revoke alice {password['uuid']}")[0] == 1


def test_one_or_all_must_be_said(desk: Desk) -> None:
    for words in ("", " some-uuid --all"):
        assert desk.refused(f"token revoke alice{words}") == (2, "give either a UUID or --all")


def test_a_robot_s_secrets_are_listed_and_taken_back_and_no_token_is_made_for_it(desk: Desk) -> None:
    desk.does("robot add team+ci")
    (secret,) = desk.json("token list team+ci")
    desk.does(f"token revoke team+ci {secret['uuid']}")
    assert desk.json("token list team+ci") == []
    assert desk.refused("token add team+ci") == (1, "team+ci: it is no user")
