"""Passwords that a directory knows: who is asked about whom, what is remembered, what a directory's trouble costs."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from registry.api.authenticate import BadCredentials
from registry.api.directories import Directories, DirectoryAway
from registry.auth.sign_in.refusals import SignInRefused, SourceUnavailable
from registry.core.facts import CredentialKind, ExternalIdentity
from registry.core.logins import LoginLimits, TooManyLogins
from registry.core.people import PeopleService
from registry.core.refusals import NotAdmitted
from tests.unit.api.conftest import PASSWORD, Gate, basic

SECRET = "of the directory"
ALICE = ExternalIdentity("directory", "7", "alice", frozenset({"@devs"}), is_admin=False)


@dataclass
class Known:
    """A directory of a test: whom it knows, what it was asked, and what ails it."""

    people: dict[str, ExternalIdentity] = field(default_factory=lambda: {"alice": ALICE})
    asked: list[tuple[str, str]] = field(default_factory=list)
    trouble: Exception | None = None
    hangs: threading.Event | None = None

    def identify(self, name: str, password: str) -> ExternalIdentity | None:
        self.asked.append((name, password))
        if self.hangs is not None:
            self.hangs.wait(20)
        if self.trouble is not None:
            raise self.trouble
        return self.people.get(name) if password == SECRET else None


@pytest.fixture
def directory() -> Known:
    return Known()


@pytest.fixture
def second() -> Known:
    return Known(people={"zoe": replace(ALICE, source="second", subject="9", name="zoe")})


@pytest.fixture
def gate(gate: Gate, directory: Known, second: Known) -> Gate:
    gate.checks.directories = Directories(
        gate.house.metadata, {"directory": directory.identify, "second": second.identify}
    )
    return gate


def people(gate: Gate) -> PeopleService:
    return PeopleService(gate.house.metadata)


def test_who_is_known_there_is_a_user_here(gate: Gate) -> None:
    identity = gate.recognise(basic("alice", SECRET))
    assert (identity.caller.name, identity.caller.is_admin) == ("alice", False)
    assert people(gate).groups_of("alice") == ["@devs"]
    (kind,) = gate.house.rows("SELECT kind FROM credential WHERE id = ?", identity.caller.credential)
    assert kind == (CredentialKind.EXTERNAL,)


@pytest.mark.parametrize(("name", "password"), [("alice", "wrong"), ("alice", ""), ("nobody", SECRET)])
def test_whatever_does_not_go_together_there_is_refused_alike(gate: Gate, name: str, password: str) -> None:
    with pytest.raises(BadCredentials) as refusal:
        gate.recognise(basic(name, password))
    assert refusal.value.detail == {}
    # As for a local user whose password is wrong.
    assert gate.passwords.verified == 1
    assert gate.house.rows("SELECT count(*) FROM principal WHERE source != 'local'") == [(0,)]


def test_a_password_that_was_right_is_not_asked_for_again_within_a_minute(gate: Gate, directory: Known) -> None:
    for _ in range(3):
        gate.recognise(basic("alice", SECRET))
    assert len(directory.asked) == 1
    for _ in range(2):
        with pytest.raises(BadCredentials):
            gate.recognise(basic("alice", "wrong"))
    assert len(directory.asked) == 3


def test_groups_are_those_of_the_last_time_that_the_directory_was_asked(gate: Gate, directory: Known) -> None:
    """CVE-2025-23208."""
    gate.recognise(basic("alice", SECRET))
    directory.people["alice"] = replace(ALICE, groups=frozenset({"@ops"}))
    gate.authenticator._verified.clear()
    gate.sql("UPDATE principal SET version = version")
    gate.recognise(basic("alice", SECRET))
    assert people(gate).groups_of("alice") == ["@ops"]


# Who is asked


def test_a_local_users_password_is_shown_to_no_directory(gate: Gate, directory: Known, second: Known) -> None:
    gate.recognise(basic("bob", PASSWORD))
    assert directory.asked == second.asked == []
    with pytest.raises(BadCredentials):
        gate.recognise(basic("bob", SECRET))
    # It takes as long as a name that nobody has, and what is asked about is nobody.
    assert [len(each.asked) for each in (directory, second)] == [1, 1]
    assert not {"bob", SECRET} & {word for pair in directory.asked + second.asked for word in pair}


@pytest.mark.parametrize(
    "trouble", ["UPDATE principal SET disabled_at = 1 WHERE name = 'bob'", "DELETE FROM credential"]
)
def test_a_local_user_who_cannot_sign_in_is_not_looked_for_elsewhere(
    gate: Gate, directory: Known, trouble: str
) -> None:
    directory.people["bob"] = replace(ALICE, name="bob")
    gate.sql(trouble)
    with pytest.raises(BadCredentials):
        gate.recognise(basic("bob", SECRET))
    assert directory.asked == []


def test_a_directorys_user_is_asked_about_there_alone(gate: Gate, directory: Known, second: Known) -> None:
    gate.recognise(basic("alice", SECRET))
    second.people["alice"] = replace(ALICE, source="second")
    directory.people.clear()
    gate.authenticator._verified.clear()
    gate.sql("UPDATE principal SET version = version")
    with pytest.raises(BadCredentials):
        gate.recognise(basic("alice", SECRET))
    assert second.asked == []


def test_the_second_directory_is_asked_where_the_first_says_no(gate: Gate, directory: Known, second: Known) -> None:
    assert gate.recognise(basic("zoe", SECRET)).caller.name == "zoe"
    assert [len(each.asked) for each in (directory, second)] == [1, 1]


@pytest.mark.parametrize("name", ["team+ci", "@devs", "(open)", "anyone", "a" * 65])
def test_what_is_no_users_name_is_no_users_there_either(gate: Gate, directory: Known, name: str) -> None:
    directory.people[name] = replace(ALICE, name=name)
    with pytest.raises((BadCredentials, NotAdmitted)):
        gate.recognise(basic(name, SECRET))
    assert gate.house.rows("SELECT count(*) FROM principal WHERE source != 'local'") == [(0,)]


# Who may not be let in


def test_a_name_that_somebody_has_here_is_not_taken_over(gate: Gate, directory: Known) -> None:
    directory.people["Bob"] = replace(ALICE, name="bob")
    with pytest.raises(NotAdmitted) as refusal:
        gate.recognise(basic("Bob", SECRET))
    assert refusal.value.status == 403
    assert refusal.value.detail["reason"] == "somebody else has this name here"


def test_who_was_disabled_here_is_not_let_in(gate: Gate) -> None:
    gate.recognise(basic("alice", SECRET))
    people(gate).disable("alice", gate.house.admin)
    with pytest.raises(NotAdmitted):
        gate.recognise(basic("alice", SECRET))


def test_who_is_in_no_group_that_is_required_is_told_so(gate: Gate, directory: Known) -> None:
    directory.trouble = SignInRefused("why, for the log", "You are in none of the groups.")
    with pytest.raises(NotAdmitted) as refusal:
        gate.recognise(basic("alice", SECRET))
    assert refusal.value.detail == {"reason": "You are in none of the groups"}


def test_what_was_taken_back_is_gone_until_the_password_is_shown_again(gate: Gate, directory: Known) -> None:
    former = gate.recognise(basic("alice", SECRET)).caller.credential
    gate.sql("UPDATE credential SET revoked_at = 1 WHERE id = ?", former)
    assert gate.recognise(basic("alice", SECRET)).caller.credential != former
    assert len(directory.asked) == 2


def test_who_fails_too_often_is_not_asked_about_any_more(gate: Gate, directory: Known) -> None:
    """Else a directory that locks accounts would lock them for whoever guesses here."""
    gate.login_limits = LoginLimits(3, 50, timedelta(minutes=1))
    directories = gate.checks.directories
    gate.__post_init__()
    gate.checks.directories = directories
    for _ in range(3):
        with pytest.raises(BadCredentials):
            gate.recognise(basic("alice", "wrong"))
    with pytest.raises(TooManyLogins):
        gate.recognise(basic("alice", SECRET))
    assert len(directory.asked) == 3


# Trouble


def test_a_directory_that_is_down_is_said_to_be_and_costs_nobody_else_anything(gate: Gate, directory: Known) -> None:
    directory.trouble = SourceUnavailable("directory", "connection refused")
    with pytest.raises(DirectoryAway) as told:
        gate.recognise(basic("alice", SECRET))
    assert (told.value.status, told.value.retry_after) == (503, 1)
    assert "refused" not in str(told.value)
    assert gate.recognise(basic("zoe", SECRET)).caller.name == "zoe"
    assert gate.recognise(basic("bob", PASSWORD)).caller.name == "bob"
    with pytest.raises(BadCredentials):
        gate.recognise(basic("bob", "wrong"))


def test_a_directory_that_hangs_keeps_no_local_user_waiting(gate: Gate, directory: Known) -> None:
    directory.hangs = threading.Event()

    async def crowd() -> float:
        asking = [
            asyncio.create_task(gate.authenticator.recognise(basic(f"user{number}", SECRET))) for number in range(8)
        ]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await gate.authenticator.recognise(basic("bob", PASSWORD))
        took = time.monotonic() - began
        assert directory.hangs is not None
        directory.hangs.set()
        await asyncio.gather(*asking, return_exceptions=True)
        return took

    assert asyncio.run(crowd()) < 5


def test_the_same_login_by_many_at_once_asks_once(gate: Gate, directory: Known) -> None:
    async def crowd() -> None:
        await asyncio.gather(*(gate.authenticator.recognise(basic("alice", SECRET)) for _ in range(8)))

    asyncio.run(crowd())
    assert len(directory.asked) == 1
