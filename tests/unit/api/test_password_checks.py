"""Logins that fail too often: refused before anything is hashed, and whoever is right is not made to pay for others."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from registry.api.authenticate import BadCredentials
from registry.api.errors import render
from registry.auth.basic import BasicCredentials
from registry.auth.opaque import Opaque
from registry.core.credentials import CredentialService, Made
from registry.core.facts import CredentialKind
from registry.core.logins import LoginLimits, TooManyLogins
from registry.oci.errors import RegistryError
from tests.unit.api.conftest import PASSWORD, Gate, basic

HOME, AWAY = "192.0.2.1", "198.51.100.2"
STRICT = LoginLimits(attempts=3, attempts_source=5, interval=timedelta(hours=1))


@pytest.fixture
def strict(gate: Gate) -> Gate:
    gate.authenticator.close()
    gate.login_limits = STRICT
    gate.__post_init__()
    return gate


def login(gate: Gate, username: str, password: str, address: str = HOME) -> str:
    """How it ended."""
    try:
        asyncio.run(gate.authenticator.recognise(basic(username, password), address))
    except RegistryError as error:
        return type(error).__name__
    return "in"


def personal_token(gate: Gate) -> str:
    made = Opaque.generate(CredentialKind.TOKEN)
    owner = gate.house.admin
    CredentialService(gate.house.metadata).give(
        owner.principal, CredentialKind.TOKEN, Made(made.hashed, made.hint), owner
    )
    return made.text


@pytest.mark.parametrize("name", ["admin", "nobody"])
def test_known_or_not_a_name_is_refused_alike_and_nothing_is_hashed(strict: Gate, name: str) -> None:
    assert [login(strict, name, "wrong") for _ in range(5)] == ["BadCredentials"] * 3 + ["TooManyLogins"] * 2
    assert strict.passwords.verified == 3
    with pytest.raises(TooManyLogins) as refusal:
        strict.recognise_from(HOME, basic(name, "wrong"))
    answer = render(refusal.value)
    assert answer.status == 429
    assert (
        answer.body == b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "too many failed logins", "detail": {}}]}'
    )
    assert 3500 < int(dict(answer.headers)[b"retry-after"]) <= 3600


def test_the_right_password_has_to_wait_as_well_or_it_would_be_told_from_wrong_ones(strict: Gate) -> None:
    for _ in range(3):
        login(strict, "admin", "wrong")
    assert login(strict, "admin", PASSWORD) == "TooManyLogins"
    assert login(strict, "admin", PASSWORD, AWAY) == "in"


def test_a_login_that_is_remembered_is_not_refused_for_failures_since(strict: Gate) -> None:
    assert login(strict, "admin", PASSWORD) == "in"
    while login(strict, "admin", "wrong") != "TooManyLogins":
        pass
    assert login(strict, "admin", PASSWORD) == "in"


def test_that_its_owner_just_signed_in_tells_a_guesser_elsewhere_nothing(strict: Gate) -> None:
    for _ in range(3):
        login(strict, "admin", "wrong", AWAY)
    assert login(strict, "admin", PASSWORD, HOME) == "in"
    assert login(strict, "admin", PASSWORD, AWAY) == "TooManyLogins"


def test_who_remembers_the_password_at_last_may_mistype_it_again(strict: Gate) -> None:
    for _ in range(2):
        assert [login(strict, "bob", "wrong") for _ in range(2)] == ["BadCredentials"] * 2
        assert login(strict, "bob", PASSWORD) == "in"
        strict.sql("UPDATE credential SET version = version + 1")


def test_of_many_guesses_at_once_hardly_more_are_hashed_than_one_after_the_other(strict: Gate) -> None:
    async def guess() -> list[BaseException]:
        guesses = (
            strict.authenticator.by_password(BasicCredentials("admin", f"wrong {number}"), HOME) for number in range(60)
        )
        return [each for each in await asyncio.gather(*guesses, return_exceptions=True) if isinstance(each, Exception)]

    ends = Counter(type(each) for each in asyncio.run(guess()))
    # Two threads hash: each may have been let in by what the other had not counted yet.
    assert 3 <= ends[BadCredentials] <= 4
    assert ends[BadCredentials] + ends[TooManyLogins] == 60


def test_the_same_password_from_two_sources_at_once_is_refused_where_there_were_too_many(strict: Gate) -> None:
    for _ in range(3):
        login(strict, "admin", "wrong", AWAY)
    # As another worker would find it, which has refused nobody yet.
    strict.authenticator.close()
    strict.__post_init__()

    async def both() -> list[object]:
        logins = (strict.authenticator.by_password(BasicCredentials("admin", PASSWORD), at) for at in (AWAY, HOME))
        return await asyncio.gather(*logins, return_exceptions=True)

    away, home = asyncio.run(both())
    assert isinstance(away, TooManyLogins)
    assert not isinstance(home, BaseException)


def test_failures_count_for_every_worker(strict: Gate) -> None:
    other = Gate(strict.house, strict.passwords, strict.tokens)
    other.authenticator.close()
    other.login_limits = STRICT
    other.__post_init__()
    ends = [login(gate, "admin", "wrong") for gate in (strict, other) * 3]
    other.authenticator.close()
    assert ends == ["BadCredentials"] * 3 + ["TooManyLogins"] * 3


def test_a_secret_of_ours_that_is_right_is_never_refused(strict: Gate) -> None:
    token = personal_token(strict)
    for _ in range(4):
        login(strict, "admin", "wrong")
    wrong = Opaque.generate(CredentialKind.TOKEN).text
    assert [login(strict, "admin", wrong) for _ in range(7)] == ["BadCredentials"] * 5 + ["TooManyLogins"] * 2
    assert login(strict, "admin", token) == "in"
    assert strict.passwords.verified == 3


def test_a_refresh_token_that_was_taken_back_is_counted_too(strict: Gate) -> None:
    secret = Opaque.generate(CredentialKind.REFRESH).text

    def show() -> None:
        assert asyncio.run(strict.authenticator.by_secret(secret, CredentialKind.REFRESH, HOME)) is None

    for _ in range(5):
        show()
    with pytest.raises(TooManyLogins):
        show()


def test_only_a_failure_is_written_and_a_success_after_one(strict: Gate) -> None:
    def version() -> object:
        return strict.house.rows("PRAGMA data_version")

    before = version()
    assert login(strict, "admin", PASSWORD) == "in"
    assert version() == before
    login(strict, "bob", "wrong")
    assert version() != before
    assert login(strict, "bob", PASSWORD) == "in"
    assert len(strict.house.rows("SELECT * FROM throttle")) == 2
