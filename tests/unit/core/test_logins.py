"""Failed logins: who has to wait for whose, and who hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from registry.core.logins import Attempt, LoginLimits, LoginThrottle, TooManyLogins, source_of
from tests.unit.core.house import House
from tests.unit.metadata.databases import quick_folder

LIMITS = LoginLimits(attempts=3, attempts_source=7, interval=timedelta(hours=1))
HOME, AWAY = "192.0.2.1", "198.51.100.2"


@pytest.fixture
def house() -> Iterator[House]:
    with quick_folder() as folder, closing(House(folder)) as house:
        yield house


@pytest.fixture
def throttle(house: House) -> LoginThrottle:
    return LoginThrottle(house.metadata, LIMITS)


def is_let_in(throttle: LoginThrottle, attempt: Attempt) -> bool:
    try:
        throttle.admit(attempt)
    except TooManyLogins:
        return False
    return True


def fail(throttle: LoginThrottle, attempt: Attempt, times: int = 100) -> int:
    """Fail as often as that is let in; how often it was."""
    for done in range(times):
        if not is_let_in(throttle, attempt):
            return done
        throttle.failed(attempt)
    return times


def test_an_account_may_fail_a_few_times_from_one_source_and_then_waits(throttle: LoginThrottle) -> None:
    attempt = LIMITS.by_password("alice", HOME)
    assert fail(throttle, attempt) == 3
    with pytest.raises(TooManyLogins) as refusal:
        throttle.admit(attempt)
    assert 3590 < (refusal.value.retry_after or 0) <= 3600
    assert refusal.value.detail == {}


def test_who_guesses_a_password_keeps_its_owner_out_from_nowhere_else(throttle: LoginThrottle) -> None:
    fail(throttle, LIMITS.by_password("alice", AWAY))
    assert is_let_in(throttle, LIMITS.by_password("alice", HOME))
    assert is_let_in(throttle, LIMITS.by_password("bob", AWAY))


def test_guesses_for_one_account_from_everywhere_are_five_times_as_many(throttle: LoginThrottle) -> None:
    made = sum(fail(throttle, LIMITS.by_password("alice", f"203.0.113.{number}"), times=3) for number in range(50))
    assert made == 15


def test_one_source_fails_for_all_accounts_together_only_so_often(throttle: LoginThrottle) -> None:
    made = sum(fail(throttle, LIMITS.by_password(f"user{number}", HOME), times=1) for number in range(50))
    assert made == 7
    assert is_let_in(throttle, LIMITS.by_password("user1", AWAY))


def test_the_right_password_makes_its_source_start_anew_and_only_for_this_account(throttle: LoginThrottle) -> None:
    alice, bob = LIMITS.by_password("alice", HOME), LIMITS.by_password("bob", HOME)
    fail(throttle, alice, times=2)
    fail(throttle, bob, times=2)
    assert throttle.admit(alice)
    throttle.succeeded(alice)
    assert not throttle.admit(alice)
    assert fail(throttle, bob) == 1
    # Or a source with an account of its own could guess for the others as often as it likes.
    assert fail(throttle, alice) == 2


def test_wrong_secrets_of_our_own_making_keep_nobody_from_a_password(throttle: LoginThrottle) -> None:
    assert fail(throttle, LIMITS.by_secret(HOME)) == 7
    assert is_let_in(throttle, LIMITS.by_password("alice", HOME))
    assert is_let_in(throttle, LIMITS.by_secret(AWAY))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8::1", "2001:db8::ffff:1:2:3"),
        ("2001:db8:0:0:1::", "2001:0db8::7"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("fe80::1%eth0", "fe80::2"),
    ],
)
def test_one_customer_is_one_source(one: str, other: str) -> None:
    assert source_of(one) == source_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("2001:db8::1", "2001:db8:0:1::1"), ("192.0.2.1", "192.0.2.2"), ("", "192.0.2.1"), ("testclient", "")],
)
def test_others_are_other_sources(one: str, other: str) -> None:
    assert source_of(one) != source_of(other)


@pytest.mark.parametrize("other", ["Alice", "ALICE"])
def test_another_spelling_is_the_same_account(other: str) -> None:
    assert LIMITS.by_password("alice", HOME) == LIMITS.by_password(other, HOME)


def test_no_name_that_somebody_typed_is_kept(house: House, throttle: LoginThrottle) -> None:
    # A password where the name belongs, half of an emoji included.
    throttle.failed(LIMITS.by_password("correct horse \ud83d", HOME))
    names = [str(name) for (name,) in house.rows("SELECT name FROM throttle")]
    assert len(names) == 3
    assert all(len(name) == 64 and int(name, 16) for name in names)


def test_a_sweep_forgets_what_counts_no_more_and_nothing_else(house: House, throttle: LoginThrottle) -> None:
    throttle.failed(LIMITS.by_password("alice", HOME))
    house.rows("UPDATE throttle SET until = 1 WHERE name = ?", LIMITS.by_password("alice", HOME).own)
    house.sweeper.run()
    assert len(house.rows("SELECT name FROM throttle")) == 2
