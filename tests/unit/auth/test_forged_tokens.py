"""Tokens that were altered, made by others or made with our key by mistake: none is believed."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.keys import SigningKey, jwks
from registry.auth.tokens import (
    MAX_TOKEN,
    Claims,
    Tokens,
)

LIFETIME = timedelta(minutes=5)
Refused = Callable[[Tokens, str, datetime], str]
Forge = Callable[..., str]


def encoded(data: bytes | str | dict[str, Any]) -> str:
    text = json.dumps(data) if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(text.encode() if isinstance(text, str) else text).rstrip(b"=").decode()


def decoded(part: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return members


@pytest.fixture
def payload(token: str) -> dict[str, Any]:
    return decoded(token.split(".")[1])


@pytest.fixture
def forge(key: SigningKey, payload: dict[str, Any]) -> Forge:
    """A token truly signed by our key (or by `by`), whatever stands in its header and payload."""

    def made(
        header: dict[str, Any] | str | None = None, by: ec.EllipticCurvePrivateKey | None = None, **changed: Any
    ) -> str:
        claims = {name: value for name, value in (payload | changed).items() if value is not ...}
        head = {"alg": "ES256", "kid": key.kid, "typ": "JWT"} if header is None else header
        signed = f"{encoded(head)}.{encoded(claims)}"
        algorithm = jwt.get_algorithm_by_name("ES256")
        return f"{signed}.{encoded(algorithm.sign(signed.encode(), by or key.private))}"

    return made


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_either_of_the_two_beginnings_holds_a_token_back(
    refused: Refused, claim: str, tokens: Tokens, forge: Forge, claims: Claims, now: datetime
) -> None:
    assert refused(tokens, forge(**{claim: int(claims.issued.timestamp()) + 32}), now) == "it is from the future"


@given(st.data())
def test_no_altered_character_goes_unseen(
    refused: Refused, tokens: Tokens, token: str, now: datetime, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCDwxyz0189-_.=+/ \n\0é").filter(lambda character: character != token[at]))
    refused(tokens, token[:at] + other + token[at + 1 :], now)


@given(st.data())
def test_no_cut_and_no_addition_goes_unseen(
    refused: Refused, tokens: Tokens, token: str, now: datetime, data: st.DataObject
) -> None:
    refused(tokens, token[: data.draw(st.integers(0, len(token) - 1))], now)
    refused(tokens, token + data.draw(st.text("Aa0_.=\n ", min_size=1, max_size=4)), now)


@given(
    st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{86}", fullmatch=True)
)
def test_any_other_text_is_no_token(refused: Refused, tokens: Tokens, now: datetime, text: str) -> None:
    refused(tokens, text, now)


def test_each_token_has_one_spelling(refused: Refused, tokens: Tokens, token: str, now: datetime) -> None:
    # The last character of 64 bytes carries four unused bits: fifteen other characters decode to the same signature.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(token[-1])
    for other in range(last // 16 * 16, last // 16 * 16 + 16):
        if other != last:
            assert refused(tokens, token[:-1] + alphabet[other], now) == "its header or encoding is malformed"


def test_a_token_without_a_signature_is_refused(
    refused: Refused, tokens: Tokens, token: str, payload: dict[str, Any], now: datetime
) -> None:
    unsigned = jwt.encode(
        payload, "", algorithm="none", headers={"kid": decoded(token.split(".", maxsplit=1)[0])["kid"]}
    )
    refused(tokens, unsigned, now)
    refused(tokens, unsigned + "A" * 86, now)
    refused(tokens, token.rpartition(".")[0] + ".", now)


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "HS256", "ES384", "ES256K", "RS256", "es256", "", None, ["ES256"]]
)
def test_no_algorithm_but_ours_is_believed(
    refused: Refused, alg: object, tokens: Tokens, forge: Forge, key: SigningKey, now: datetime
) -> None:
    assert (
        refused(tokens, forge({"alg": alg, "kid": key.kid, "typ": "JWT"}), now) == "its header is not one that we write"
    )


@pytest.mark.parametrize("encoding", [serialization.Encoding.PEM, serialization.Encoding.DER])
def test_the_public_key_is_no_shared_secret(
    refused: Refused,
    encoding: serialization.Encoding,
    tokens: Tokens,
    key: SigningKey,
    payload: dict[str, Any],
    now: datetime,
) -> None:
    public = key.public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    for alg, name in (("HS256", "sha256"), ("HS512", "sha512")):
        signed = f"{encoded({'alg': alg, 'kid': key.kid, 'typ': 'JWT'})}.{encoded(payload)}"
        # By hand, because the library refuses to sign with what looks like a public key.
        signature = hmac.digest(public, signed.encode(), name)
        refused(tokens, f"{signed}.{encoded(signature)}", now)
        refused(tokens, f"{signed}.{encoded((signature * 2)[:64])}", now)


def test_another_key_under_the_name_of_ours_is_refused(
    refused: Refused, tokens: Tokens, forge: Forge, now: datetime
) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    assert refused(tokens, forge(by=stranger), now) == "the signature does not match"


@pytest.mark.parametrize("member", ["jwk", "jku", "x5c", "x5u", "x5t", "crit", "b64", "zip", "cty"])
def test_a_header_that_brings_a_key_or_a_wish_is_refused(
    refused: Refused, member: str, tokens: Tokens, forge: Forge, key: SigningKey, now: datetime
) -> None:
    stranger = SigningKey.generate(key.created, key.not_before)
    brought = {"jwk": jwks((stranger,))["keys"][0], "crit": ["b64"], "b64": False, "x5c": [""]}.get(
        member, "https://evil/"
    )
    header = {"alg": "ES256", "kid": key.kid, "typ": "JWT", member: brought}
    assert refused(tokens, forge(header), now) == "its header is not one that we write"
    assert refused(tokens, forge(header, by=stranger.private), now) == "its header is not one that we write"


@pytest.mark.parametrize(
    "kid", ["", "/dev/null", "../../key", "x' OR '1'='1", "\0", "none", None, 0, True, [], {}, ["a"], "x" * 300, "é"]
)
def test_a_key_id_is_looked_up_and_nothing_else(
    refused: Refused, kid: object, tokens: Tokens, forge: Forge, now: datetime
) -> None:
    assert refused(tokens, forge({"alg": "ES256", "kid": kid, "typ": "JWT"}), now) in {
        "no key of ours has its key id",
        "its key id is not text",
    }


def test_a_key_id_that_is_missing_or_twice_there_is_refused(
    refused: Refused, tokens: Tokens, forge: Forge, key: SigningKey, now: datetime
) -> None:
    assert refused(tokens, forge({"alg": "ES256", "typ": "JWT"}), now) == "its header is not one that we write"
    for first, last in ((key.kid, "other"), ("other", key.kid), (key.kid, key.kid)):
        twice = f'{{"alg":"ES256","kid":"{first}","typ":"JWT","kid":"{last}"}}'
        assert refused(tokens, forge(twice), now) == "its header or encoding is malformed"


@pytest.mark.parametrize(
    "header", ["", "[]", "null", "1", '"x"', "{", "not json", "{}", "\ufeff{}", "[" * 300, '{"a":' * 80]
)
def test_a_header_that_is_no_object_of_ours_is_refused(
    refused: Refused, header: str, tokens: Tokens, forge: Forge, now: datetime
) -> None:
    refused(tokens, forge(header), now)


def test_a_payload_that_is_not_json_is_refused_even_from_our_own_key(
    refused: Refused, tokens: Tokens, key: SigningKey, now: datetime
) -> None:
    algorithm = jwt.get_algorithm_by_name("ES256")
    for text in ("", "not json", "[]", "null", "\xff", "[" * 9000, '{"a":' * 1500):
        signed = f"{encoded({'alg': 'ES256', 'kid': key.kid, 'typ': 'JWT'})}.{encoded(text.encode('latin-1'))}"
        refused(tokens, f"{signed}.{encoded(algorithm.sign(signed.encode(), key.private))}", now)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"aud": "other"}, "it is meant for another service"),
        ({"aud": ["entrepot"]}, "it is meant for another service"),
        ({"aud": ["entrepot", "other"]}, "it is meant for another service"),
        ({"aud": None}, "a claim is missing"),
        ({"aud": ...}, "a claim is missing"),
        ({"iss": "https://registry.example.com/"}, "another issuer made it"),
        ({"iss": ["https://registry.example.com"]}, "another issuer made it"),
        ({"iss": ...}, "a claim is missing"),
        ({"sub": ...}, "a claim is missing"),
        ({"sub": 7}, "it is malformed"),
        ({"jti": ...}, "a claim is missing"),
        ({"exp": ...}, "a claim is missing"),
        ({"nbf": ...}, "a claim is missing"),
        ({"iat": ...}, "a claim is missing"),
        ({"cid": ...}, "a claim is missing or malformed"),
        ({"cid": "3"}, "a claim is no integer"),
        ({"cid": True}, "a claim is no integer"),
        ({"exp": "4102444800"}, "a claim is no integer"),
        ({"exp": 4102444800.5}, "a claim is no integer"),
        ({"exp": 10**30}, "a claim is no instant"),
        ({"exp": True}, "a claim is no integer"),
        ({"nbf": "x"}, "a claim is no integer"),
        ({"iat": [1]}, "a claim is no integer"),
        ({"access": ...}, "a claim is missing or malformed"),
        ({"access": "repository:a:pull"}, "a claim is missing or malformed"),
        ({"access": [{"type": "repository", "name": "a"}]}, "a claim is missing or malformed"),
        ({"access": [{"type": "repository", "name": "A", "actions": ["pull"]}]}, "a claim is missing or malformed"),
        ({"access": [{"type": "repository", "name": "a", "actions": "pull"}]}, "a claim is missing or malformed"),
        ({"access": [{"type": "repository", "name": 1, "actions": ["pull"]}]}, "a claim is missing or malformed"),
        ({"exp": 1}, "it has expired"),
    ],
)
def test_a_claim_that_is_missing_wrong_or_malformed_refuses_the_token(
    refused: Refused, changed: dict[str, Any], reason: str, tokens: Tokens, forge: Forge, now: datetime
) -> None:
    assert refused(tokens, forge(**changed), now) == reason


def test_a_forged_token_with_right_claims_is_believed_or_these_tests_say_nothing(
    tokens: Tokens, forge: Forge, claims: Claims, now: datetime
) -> None:
    assert tokens.verify(forge(), now) == claims


def test_another_service_or_issuer_with_our_key_does_not_believe_our_token(
    refused: Refused, tokens: Tokens, token: str, now: datetime
) -> None:
    assert refused(replace(tokens, audience="other"), token, now) == "it is meant for another service"
    assert refused(replace(tokens, issuer="https://other"), token, now) == "another issuer made it"


def test_a_huge_token_is_refused_before_it_is_read(
    refused: Refused, tokens: Tokens, forge: Forge, now: datetime
) -> None:
    assert tokens.verify(forge(pad="x" * 11_000), now)
    assert refused(tokens, forge(pad="x" * MAX_TOKEN), now) == "it is too long or not of three parts"
    assert refused(tokens, "a" * 10_000_000, now) == "it is too long or not of three parts"
