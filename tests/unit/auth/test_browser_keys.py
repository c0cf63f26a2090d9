"""`auth.browser_keys`: what a browser keeps for us is read and made by nobody else."""

from __future__ import annotations

import secrets

import pytest

from registry.auth.browser_keys import BrowserKeys
from registry.auth.key_file import SIZE, KeyFile


@pytest.fixture
def keys() -> BrowserKeys:
    return BrowserKeys.of(KeyFile(secrets.token_bytes(SIZE)))


def test_what_was_sealed_is_what_comes_out_on_every_replica() -> None:
    secret = secrets.token_bytes(SIZE)
    one, another = BrowserKeys.of(KeyFile(secret)), BrowserKeys.of(KeyFile(secret))
    assert another.unseal("flow", one.seal("flow", b"plain")) == b"plain"
    assert another.is_mark(one.mark("session"), "session")


def test_another_key_file_opens_nothing(keys: BrowserKeys) -> None:
    other = BrowserKeys.of(KeyFile(secrets.token_bytes(SIZE)))
    assert other.unseal("flow", keys.seal("flow", b"plain")) is None
    assert not other.is_mark(keys.mark("session"), "session")


def test_what_was_sealed_for_one_purpose_is_nothing_for_another(keys: BrowserKeys) -> None:
    assert keys.unseal("other", keys.seal("flow", b"plain")) is None


def test_a_sealed_text_is_another_one_each_time_and_tells_nothing(keys: BrowserKeys) -> None:
    first, second = keys.seal("flow", b"plain"), keys.seal("flow", b"plain")
    assert first != second
    assert "plain" not in first
    assert first.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("place", [0, 5, 16, 25, -1])
def test_what_was_altered_is_nothing(keys: BrowserKeys, place: int) -> None:
    sealed = list(keys.seal("flow", b"plain text of some length"))
    sealed[place] = "A" if sealed[place] != "A" else "B"
    assert keys.unseal("flow", "".join(sealed)) is None


@pytest.mark.parametrize("text", ["", "A", "AAAA", "A" * 16, "A" * 40, "é", "\0", "=" * 20, "A" * 5000, "a b"])
def test_what_was_never_sealed_is_nothing(keys: BrowserKeys, text: str) -> None:
    assert keys.unseal("flow", text) is None


def test_a_mark_is_of_one_secret(keys: BrowserKeys) -> None:
    assert keys.is_mark(keys.mark("one"), "one")
    assert not keys.is_mark(keys.mark("one"), "another")
    assert not keys.is_mark("", "one")
    assert not keys.is_mark("é", "one")


def test_the_keys_are_not_shown(keys: BrowserKeys) -> None:
    assert repr(keys) == "BrowserKeys()"
