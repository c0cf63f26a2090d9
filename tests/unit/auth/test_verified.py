"""What is remembered of a login: for a minute, for this very login, without the password."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.remembered import Remembered
from registry.auth.verified import LIFETIME, VerifiedCredentials

HOME, AWAY = "192.0.2.1", "198.51.100.2"
Login = tuple[str, str, int, int]
logins = st.tuples(st.text(max_size=4), st.text(max_size=4), st.integers(0, 99), st.integers(0, 99))


def test_a_login_is_remembered_for_a_minute_from_its_verification() -> None:
    verified = VerifiedCredentials()
    verified.put(HOME, "admin", "secret", 1, 1, now=1000.0)
    assert verified.get(HOME, "admin", "secret", 1, 1, now=1000.0 + LIFETIME - 0.001)
    assert not verified.get(HOME, "admin", "secret", 1, 1, now=1000.0 + LIFETIME)
    assert not verified.get(HOME, "admin", "secret", 1, 1, now=1000.0)  # the entry is gone, not hidden


def test_use_does_not_prolong_a_login() -> None:
    verified = VerifiedCredentials()
    verified.put(HOME, "admin", "secret", 1, 1, now=0.0)
    assert all(verified.get(HOME, "admin", "secret", 1, 1, now=float(second)) for second in range(int(LIFETIME)))
    assert not verified.get(HOME, "admin", "secret", 1, 1, now=LIFETIME)


@pytest.mark.parametrize(
    "other",
    [("admin", "secreT", 1, 1), ("bdmin", "secret", 1, 1), ("admin", "secret", 2, 1), ("admin", "secret", 1, 2)],
)
def test_another_password_name_credential_or_version_is_unknown(other: Login) -> None:
    verified = VerifiedCredentials()
    verified.put(HOME, "admin", "secret", 1, 1, now=0.0)
    assert not verified.get(HOME, *other, now=1.0)


@given(logins, logins)
def test_no_two_logins_share_an_entry(one: Login, other: Login) -> None:
    verified = VerifiedCredentials()
    verified.put(HOME, *one, now=0.0)
    assert verified.get(HOME, *other, now=1.0) == (one == other)


def test_a_login_is_remembered_only_where_it_was_shown() -> None:
    verified = VerifiedCredentials()
    verified.put(HOME, "admin", "secret", 1, 1, now=0.0)
    assert not verified.get(AWAY, "admin", "secret", 1, 1, now=1.0)


def test_the_end_of_a_name_is_not_the_beginning_of_a_password() -> None:
    verified = VerifiedCredentials()
    verified.put(HOME, "ab", "c", 1, 11, now=0.0)
    assert not verified.get(HOME, "a", "bc", 1, 11, now=1.0)
    assert not verified.get(HOME, "ab", "c", 11, 1, now=1.0)


def test_the_password_is_nowhere_in_the_memory() -> None:
    verified = VerifiedCredentials()
    verified.put(HOME, "somebody", "correct horse battery staple", 1, 1, now=0.0)
    entries = verified._verified._entries
    assert len(entries) == 1
    assert b"battery" not in pickle.dumps(list(entries.items()))


def test_two_processes_make_different_entries_of_one_login() -> None:
    one, other = VerifiedCredentials(), VerifiedCredentials()
    for verified in (one, other):
        verified.put(HOME, "admin", "secret", 1, 1, now=0.0)
    assert one._verified._entries.keys().isdisjoint(other._verified._entries.keys())


def test_clear_forgets_all() -> None:
    verified = VerifiedCredentials()
    verified.put(HOME, "admin", "secret", 1, 1, now=0.0)
    verified.clear()
    assert not verified.get(HOME, "admin", "secret", 1, 1, now=0.0)
    assert len(verified) == 0


@pytest.mark.parametrize("lifetime", [0.0, -1.0, LIFETIME + 1])
def test_no_longer_memory_than_a_minute_can_be_asked_for(lifetime: float) -> None:
    with pytest.raises(ValueError, match="up to"):
        VerifiedCredentials(lifetime=lifetime)


def test_the_entry_unused_for_longest_leaves_first() -> None:
    memory: Remembered[int] = Remembered(2)
    memory.put(b"a", 1, until=9.0)
    memory.put(b"b", 2, until=9.0)
    assert memory.find(b"a", now=0.0) == 1
    memory.put(b"c", 3, until=9.0)
    assert [memory.find(key, now=0.0) for key in (b"a", b"b", b"c")] == [1, None, 3]


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.integers(0, 9), st.booleans())))
def test_a_memory_never_exceeds_its_size_nor_tells_what_was_not_put(steps: list[tuple[bytes, int, bool]]) -> None:
    memory: Remembered[int] = Remembered(2)
    put: dict[bytes, tuple[int, float]] = {}
    for now, (key, life, writes) in enumerate(steps):
        if writes:
            memory.put(key, now, until=float(now + life))
            put[key] = now, float(now + life)
        else:
            value, until = put.get(key, (None, 0.0))
            assert memory.find(key, float(now)) in {None, value if now < until else None}
        assert len(memory) <= 2
