"""The succession of signing keys, as a pure matter of instants."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.keys import LIFE, PUBLICATION, ROTATION, KeyRing, SigningKey, jwks, thumbprint

START = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
# One pair for all: a property test must not make a thousand, and succession reads nothing of it but the kid.
PAIR = SigningKey.generate(START, START)


def key(kid: str, not_before: datetime, created: datetime | None = None) -> SigningKey:
    return SigningKey(kid, PAIR.private, PAIR.public, created or not_before, not_before, not_before + LIFE)


def ring(*keys: SigningKey) -> KeyRing:
    return KeyRing(keys, TOKEN)


FIRST = key("first", START)
SECOND_KEY = key("second", START + ROTATION, created=START + ROTATION - PUBLICATION)


def test_the_very_first_key_may_be_used_at_once() -> None:
    assert ring().signer(START) is None
    assert ring().due(START) == START
    assert ring(FIRST).signer(START) == FIRST
    assert ring(FIRST).due(START) is None


def test_a_successor_is_due_in_time_to_be_published_before_its_use() -> None:
    assert ring(FIRST).due(START + ROTATION - PUBLICATION - SECOND) is None
    assert ring(FIRST).due(START + ROTATION - PUBLICATION) == START + ROTATION
    late = START + ROTATION + timedelta(days=3)
    assert ring(FIRST).due(late) == late + PUBLICATION


def test_no_further_key_is_due_while_a_successor_waits() -> None:
    assert ring(FIRST, SECOND_KEY).due(START + ROTATION - PUBLICATION) is None
    assert ring(FIRST, SECOND_KEY).due(START + ROTATION) is None


def test_a_key_is_published_before_it_signs() -> None:
    both = ring(FIRST, SECOND_KEY)
    before = START + ROTATION - SECOND
    assert both.signer(before) == FIRST
    assert SECOND_KEY in both.verifiers(before)
    assert both.verifier("second", before) == SECOND_KEY
    assert both.signer(START + ROTATION) == SECOND_KEY


def test_a_replaced_key_verifies_until_the_last_token_it_can_have_signed_is_dead() -> None:
    both = ring(FIRST, SECOND_KEY)
    dies = START + ROTATION + TOKEN + PUBLICATION
    assert both.dies(FIRST) == dies
    assert both.verifier("first", dies - SECOND) == FIRST
    assert both.verifier("first", dies) is None
    assert both.verifiers(dies) == (SECOND_KEY,)


def test_a_key_that_nobody_replaced_signs_only_what_it_outlives() -> None:
    alone = ring(FIRST)
    last = START + LIFE - TOKEN
    assert alone.signer(last) == FIRST
    assert alone.signer(last + SECOND) is None
    assert alone.due(last + SECOND) == last + SECOND
    assert alone.verifier("first", START + LIFE) is None


def test_of_two_keys_made_in_a_race_all_processes_choose_the_same() -> None:
    one, other = key("a", START), key("b", START)
    assert ring(one, other).signer(START) == ring(other, one).signer(START) == other
    assert ring(one, other).verifier("a", START) == one


def test_an_unknown_key_id_is_nobodys() -> None:
    assert ring(FIRST).verifier("third", START) is None


@pytest.mark.parametrize("lifetime", [timedelta(), -SECOND, ROTATION + SECOND])
def test_a_token_lifetime_that_no_key_can_serve_is_refused(lifetime: timedelta) -> None:
    with pytest.raises(ValueError, match="a token lives"):
        KeyRing((), lifetime)


@given(st.lists(st.timedeltas(timedelta(minutes=1), timedelta(days=50)), min_size=1, max_size=30))
def test_however_irregularly_keys_are_looked_after_every_living_token_is_verified(rests: list[timedelta]) -> None:
    keys: list[SigningKey] = []
    signed: list[tuple[str, datetime]] = []
    now = START
    for rest in rests:
        due = KeyRing(tuple(keys), TOKEN).due(now)
        if due is not None:
            keys.append(key(f"{len(keys):03}", due, created=now))
        present = KeyRing(tuple(keys), TOKEN)
        signer = present.signer(now)
        assert signer is not None
        assert present.due(now) is None
        signed.append((signer.kid, now + TOKEN))
        assert all(present.verifier(kid, now) for kid, dies in signed if now < dies)
        keys = list(present.verifiers(now))  # the others are deleted
        now += rest


def test_the_published_set_is_what_a_stranger_verifies_with(key: SigningKey) -> None:
    (published,) = jwks((key,))["keys"]
    assert published.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert all(len(base64.urlsafe_b64decode(published[axis] + "=")) == 32 for axis in ("x", "y"))
    token = jwt.encode({"said": "yes"}, key.private, algorithm="ES256")
    assert jwt.decode(token, jwt.PyJWK(published).key, algorithms=["ES256"]) == {"said": "yes"}


def test_a_key_is_named_by_its_thumbprint(key: SigningKey) -> None:
    assert key.kid == thumbprint(key.public)
    assert len(base64.urlsafe_b64decode(key.kid + "=")) == 32
    assert SigningKey.generate(START, START).kid != key.kid


def test_the_thumbprint_is_that_of_the_rfc() -> None:
    # The key of RFC 7517, A.1; its thumbprint reckoned from RFC 7638, 3 by hand.
    public = jwt.PyJWK(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        },
        algorithm="ES256",
    ).key
    assert thumbprint(public) == "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"


def test_a_key_does_not_print_its_private_half(key: SigningKey) -> None:
    assert "private" not in repr(key)
