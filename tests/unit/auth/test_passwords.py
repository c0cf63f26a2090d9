"""Passwords: what is stored, and that an account which does not exist costs what one does."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from passlib.context import CryptContext  # type: ignore[import-untyped]  # libpass ships no types

from registry.auth.passwords import (
    AT_ONCE,
    MAX_PASSWORD,
    Passwords,
    UnusablePasswordHash,
    Verdict,
    generate,
    password_context,
)

# As an htpasswd file holds them, of the password "right" and of 80 times "a".
BCRYPT = "$2y$05$/sjMy2QE92/OsfkBABha5.fi3W8/e6aJmAI3BJWM0J2pMgoGd2OFS"
BCRYPT_LONG = "$2y$05$OfUtHRAmaDcBCIP1VGqAX.dfi6DjRwsMEu7Evxw19sTg38.LdLKGK"


class Counting:
    """A context that remembers which hashes it was asked to compare with, and how many at once."""

    def __init__(self) -> None:
        self.compared: list[str] = []
        self.hashed = 0
        self.most = 0
        self._running = 0
        self._lock = threading.Lock()
        self._context = CryptContext(
            ["argon2", "bcrypt"], deprecated=["bcrypt"], argon2__type="ID", argon2__memory_cost=64, argon2__time_cost=1
        )

    def _counted(self, work: Any, *arguments: Any) -> Any:
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
        try:
            return work(*arguments)
        finally:
            with self._lock:
                self._running -= 1

    def hash(self, secret: bytes) -> str:
        self.hashed += 1
        return str(self._counted(self._context.hash, secret))

    def verify(self, secret: bytes, stored: str) -> bool:
        self.compared.append(stored)
        return bool(self._counted(self._context.verify, secret, stored))

    def needs_update(self, stored: str) -> bool:
        return bool(self._context.needs_update(stored))


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def passwords(counting: Counting) -> Passwords:
    return Passwords(counting)


def test_the_right_password_is_told_from_a_wrong_one(passwords: Passwords) -> None:
    stored = passwords.hash("correct horse")
    assert passwords.verify("correct horse", stored) == Verdict(ok=True)
    assert passwords.verify("correct horsf", stored) == Verdict(ok=False)


def test_what_is_stored_is_argon2id_at_the_decided_cost() -> None:
    stored = Passwords().hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not password_context().needs_update(stored)


def test_one_password_is_stored_differently_each_time(passwords: Passwords) -> None:
    assert passwords.hash("x") != passwords.hash("x")


def test_a_hash_of_lower_cost_is_replaced_at_login() -> None:
    cheap = CryptContext(["argon2"], argon2__type="ID", argon2__memory_cost=64, argon2__time_cost=1).hash("x")
    passwords = Passwords()
    verdict = passwords.verify("x", cheap)
    assert verdict.ok
    assert verdict.replacement is not None
    assert passwords.verify("x", verdict.replacement) == Verdict(ok=True)
    assert passwords.verify("y", cheap) == Verdict(ok=False)


def test_an_unknown_account_costs_what_a_wrong_password_costs(passwords: Passwords, counting: Counting) -> None:
    stored = passwords.hash("x")
    hashed, compared = counting.hashed, len(counting.compared)
    assert passwords.verify("wrong", stored) == Verdict(ok=False)
    assert passwords.verify("wrong", None) == Verdict(ok=False)
    known, unknown = counting.compared[compared:]
    assert known == stored
    assert unknown.rsplit("$", 2)[0] == stored.rsplit("$", 2)[0]  # the same scheme at the same cost
    assert counting.hashed == hashed


def test_even_the_password_of_the_dummy_hash_opens_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.auth.passwords.generate", lambda: "known")
    assert Passwords(Counting()).verify("known", None) == Verdict(ok=False)


@pytest.mark.parametrize("password", ["x" * (MAX_PASSWORD + 1), "a\0b", "\ud800", "é" * (MAX_PASSWORD // 2 + 1)])
def test_what_nobody_can_have_as_password_costs_nothing_whoever_is_asked_for(
    password: str, passwords: Passwords, counting: Counting
) -> None:
    stored = passwords.hash("x")
    before = len(counting.compared)
    assert passwords.verify(password, stored) == passwords.verify(password, None) == Verdict(ok=False)
    assert len(counting.compared) == before
    with pytest.raises(ValueError, match="bytes of text"):
        passwords.hash(password)


def test_an_empty_password_is_never_stored(passwords: Passwords) -> None:
    with pytest.raises(ValueError, match="bytes of text"):
        passwords.hash("")


@pytest.mark.parametrize(
    "stored", ["", "nonsense", "$argon2id$v=19$m=19456,t=2,p=1$zz", "$1$salt$hash", "$2y$05$short", "plain:x"]
)
def test_an_unusable_hash_is_refused_and_costs_what_a_wrong_password_costs(
    stored: str, passwords: Passwords, counting: Counting
) -> None:
    before = len(counting.compared)
    with pytest.raises(UnusablePasswordHash, match="damaged"):
        passwords.verify("x", stored)
    assert counting.compared[before:][-1] == passwords._nobody
    with pytest.raises(UnusablePasswordHash):
        passwords.check(stored)


def test_a_bcrypt_cost_that_would_hold_a_turn_for_days_is_refused_unread(
    passwords: Passwords, counting: Counting
) -> None:
    with pytest.raises(UnusablePasswordHash, match="cost beyond 15"):
        passwords.verify("right", BCRYPT.replace("$05$", "$31$"))
    assert counting.compared == [passwords._nobody]


def test_bcrypt_from_an_htpasswd_file_is_accepted_and_replaced(passwords: Passwords) -> None:
    pytest.importorskip("bcrypt", reason="reading bcrypt hashes needs the package bcrypt")
    passwords.check(BCRYPT)
    verdict = passwords.verify("right", BCRYPT)
    assert verdict.ok
    assert str(verdict.replacement).startswith("$argon2id$")
    assert passwords.verify("right", verdict.replacement) == Verdict(ok=True)
    assert passwords.verify("wrong", BCRYPT) == Verdict(ok=False)


def test_a_password_longer_than_bcrypt_reads_is_replaced_by_all_of_it(passwords: Passwords) -> None:
    pytest.importorskip("bcrypt", reason="reading bcrypt hashes needs the package bcrypt")
    verdict = passwords.verify("a" * 80, BCRYPT_LONG)
    assert verdict.ok
    assert passwords.verify("a" * 80, verdict.replacement) == Verdict(ok=True)
    assert passwords.verify("a" * 72, verdict.replacement) == Verdict(ok=False)


def test_without_its_package_bcrypt_is_refused_in_clear_words() -> None:
    script = (
        "import sys; sys.modules['bcrypt'] = None; from registry.auth.passwords import *\n"
        f"try: Passwords().verify('right', {BCRYPT!r})\n"
        "except UnusablePasswordHash as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "a bcrypt password hash, and the package bcrypt is not installed\n"


def test_no_more_than_two_are_hashed_at_once(passwords: Passwords, counting: Counting) -> None:
    stored = passwords.hash("x")
    with ThreadPoolExecutor(8) as pool:
        assert all(verdict.ok for verdict in pool.map(lambda _: passwords.verify("x", stored), range(64)))
    assert counting.most <= AT_ONCE


def test_a_failure_gives_its_turn_back(passwords: Passwords) -> None:
    for _ in range(AT_ONCE + 1):
        with pytest.raises(UnusablePasswordHash):
            passwords.verify("x", "nonsense")
    assert passwords.verify("x", passwords.hash("x")).ok


def test_a_generated_password_has_a_hundred_bits_and_no_ambiguous_character() -> None:
    made = {generate() for _ in range(200)}
    assert len(made) == 200
    letters = set("".join(made)) - {"-"}
    assert not letters & set("0o1liuOIL")
    assert len(letters) ** len(generate().replace("-", "")) >= 2**100
    assert all(len(password) == 29 and password.count("-") == 5 for password in made)
