"""Tokens that our own key signed, and that open nothing all the same; and names of keys that name none.

Whoever could sign so has our key: this is about mistakes of our own, now or in another version, that keys outlive.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.auth.keeper import KeyKeeper
from registry.auth.key_file import KeyFile
from registry.auth.keys import SigningKey
from tests.conformance.claims import is_refused
from tests.conformance.peopled import Peopled, peopled
from tests.conformance.tokens import Bearer, get_token
from tests.support.client import RegistryClient
from tests.support.login import Challenge
from tests.support.registrar import PASSWORD, Login
from tests.unit.metadata.databases import quick_folder

APP = "team/app"
SCOPE = f"repository:{APP}:pull"
Claims = dict[str, Any]
# What a header may call its key: places, queries, nothing, too much.
KIDS: list[object] = [
    "", "../../../../dev/null", "/dev/null", "key", "' OR 1=1 --", "' UNION SELECT 'AA' --", "a" * 400, "a" * 100_000,
    "http://127.0.0.1:1/jwks.json", "\x00", "ключ", "%2e%2e/key", None, 0, [], {}, ["{kid}"], True, 2**70,
]  # fmt: skip


@pytest.fixture(scope="module")
def site() -> Iterator[Peopled]:
    with quick_folder() as folder, peopled(folder / "data") as site:
        site.image(APP)
        site.people.grant("anyone", "public/**", "reader")
        for name in ("alice", "bob"):
            site.people.user(name)
            site.people.grant(name, "team/**", "maintainer")
        yield site


@pytest.fixture(scope="module")
def key(site: Peopled) -> SigningKey:
    """The registry's own."""
    keeper = KeyKeeper(
        site.people.metadata, KeyFile.load_or_create(site.settings.data / "key"), site.settings.token_lifetime
    )
    keeper.refresh(datetime.now(UTC))
    signer = keeper.ring().signer(datetime.now(UTC))
    assert signer is not None
    return signer


def token_of(site: Peopled, login: Login = ("alice", PASSWORD)) -> str:
    return str(get_token(site.deployment, SCOPE, login=login).json()["token"])


def claims_of(token: str) -> Claims:
    claims: Claims = jwt.decode(token, options={"verify_signature": False})
    return claims


@pytest.fixture
def claims(site: Peopled) -> Claims:
    """Of a token that opens the repository."""
    return claims_of(token_of(site))


@pytest.fixture
def opens(site: Peopled, key: SigningKey) -> Callable[[Claims], bool]:
    """Whether these claims, signed by our key, open anything; if not, the answer must say `invalid_token`."""

    def signed(claims: Claims) -> bool:
        return token_opens(site, written({"kid": key.kid}, claims, signing(key.private)))

    return signed


def token_opens(site: Peopled, token: str) -> bool:
    client = RegistryClient(site.deployment.connect(Bearer(token)))
    answer = client.manifest(APP, "v1")
    if answer.status_code == 200:
        return True
    assert is_refused(answer, 401, "UNAUTHORIZED")
    assert Challenge.of(answer).parameters["error"] == "invalid_token"
    # What opens nothing to read opens nothing to write, and no place where a name is all that is asked for.
    assert {client.start_upload(APP).status_code, client.base().status_code, client.catalog().status_code} == {401}
    return False


def test_what_our_key_signs_opens_what_it_says(opens: Callable[[Claims], bool], claims: Claims) -> None:
    assert opens(claims)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "registry.example"}, {"aud": ["entrepot"]}, {"aud": ["entrepot", "other"]}, {"aud": ""}, {"aud": None},
        {"iss": "somebody"}, {"iss": ""}, {"iss": ["entrepot"]}, {"iss": None},
        *({"cid": value} for value in ("1", -1, 0, 999_999, 2**63 - 1, 2**63, 10**40, True, 1.0, [1])),
        {"sub": "0"}, {"sub": "1"}, {"sub": "alice"}, {"sub": ""}, {"sub": "admin"},
        {"access": "repository:team/app:pull"}, {"access": None}, {"access": [{"type": "repository"}]}, {"access": 1},
        {"jti": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_claim_that_is_not_ours_makes_it_worthless(
    opens: Callable[[Claims], bool], claims: Claims, changed: Claims
) -> None:
    assert not opens(claims | changed)


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "cid", "jti", "iat", "nbf", "exp", "access"])
def test_no_claim_may_be_missing(opens: Callable[[Claims], bool], claims: Claims, missing: str) -> None:
    assert not opens({name: value for name, value in claims.items() if name != missing})


@pytest.mark.parametrize(
    "times",
    [{"exp": -1}, {"exp": -3600}, {"iat": 3600, "exp": 7200}, {"nbf": 3600}, {"iat": 3600, "nbf": 3600, "exp": 7200}],
    ids=str,
)
def test_one_that_has_ended_or_has_not_begun_is_worthless(
    opens: Callable[[Claims], bool], claims: Claims, times: dict[str, int]
) -> None:
    now = int(time.time())
    assert not opens(claims | {name: now + seconds for name, seconds in times.items()})


def test_a_credential_of_somebody_else_does_not_make_one_that(
    site: Peopled, opens: Callable[[Claims], bool], claims: Claims
) -> None:
    of_bob, of_admin = claims_of(token_of(site, ("bob", PASSWORD))), claims_of(token_of(site, ("admin", PASSWORD)))
    assert not opens(claims | {"cid": of_bob["cid"]})
    assert not opens(claims | {"sub": of_admin["sub"]})
    assert not opens(claims | {"cid": of_admin["cid"]})


def test_without_a_credential_one_is_nobody(site: Peopled, opens: Callable[[Claims], bool], claims: Claims) -> None:
    """A token of an anonymous caller names a principal and no credential: whoever it names, it is anonymous."""
    site.image("public/app")
    of_admin = claims_of(token_of(site, ("admin", PASSWORD)))
    scopes = [{"type": "repository", "name": name, "actions": ["pull"]} for name in (APP, "public/app")]
    with pytest.raises(KeyError, match="error"):
        # 401 without `invalid_token`: somebody, but nobody who may pull this.
        opens(of_admin | {"cid": None, "access": scopes})


@pytest.mark.parametrize("end", ["disable", "remove", "take_password", "set_password"])
def test_one_of_whoever_is_no_more_is_worthless(site: Peopled, opens: Callable[[Claims], bool], end: str) -> None:
    name = f"gone-{end.replace('_', '-')}"
    login = site.people.user(name)
    site.people.grant(name, "team/**", "maintainer")
    claims = claims_of(token_of(site, login))
    assert opens(claims)
    ends: dict[str, Callable[[], object]] = {
        "disable": lambda: site.people.disable(name),
        "remove": lambda: site.people.remove(name),
        "take_password": lambda: site.people.take_password(name),
        "set_password": lambda: site.people.set_password(name, "another horse battery"),
    }
    ends[end]()
    assert not opens(claims)


def test_a_name_that_is_taken_again_does_not_revive_it(site: Peopled, opens: Callable[[Claims], bool]) -> None:
    claims = claims_of(token_of(site, site.people.user("again")))
    site.people.remove("again")
    site.people.user("again")
    site.people.grant("again", "team/**", "maintainer")
    assert not opens(claims)


@pytest.mark.parametrize("kid", KIDS, ids=lambda kid: repr(kid)[:20])
@pytest.mark.parametrize("by", ["us", "nobody", "another"])
def test_a_key_is_named_or_there_is_none(site: Peopled, key: SigningKey, claims: Claims, kid: object, by: str) -> None:
    """A path, a query, a host or nothing at all: whoever signed, `kid` finds one of ours by its whole name."""
    another = ec.generate_private_key(ec.SECP256R1())
    sign = {"us": signing(key.private), "nobody": lambda _: bytes(64), "another": signing(another)}[by]
    named = [key.kid] if kid == ["{kid}"] else kid
    assert not token_opens(site, written({"kid": named}, claims, sign))


def test_our_public_key_is_no_secret_to_sign_with(site: Peopled, key: SigningKey, claims: Claims) -> None:
    """`alg` is pinned: what everybody can fetch is no HMAC key (CVE-2016-5431, the oldest trick)."""
    for encoding in (Encoding.PEM, Encoding.DER):
        public = key.public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
        for algorithm in ("HS256", "ES256"):
            header = {"alg": algorithm, "kid": key.kid}
            assert not token_opens(site, written(header, claims, hashing(public)))


def written(header: Claims, claims: Claims, sign: Callable[[bytes], bytes]) -> str:
    """A token by hand: the library writes none that is wrong."""
    head = {"alg": "ES256", "typ": "JWT", **header}
    signed = ".".join(part(json.dumps(each).encode()) for each in (head, claims))
    return f"{signed}.{part(sign(signed.encode()))}"


def hashing(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda data: hmac.digest(secret, data, hashlib.sha256)


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signing(key: ec.EllipticCurvePrivateKey) -> Callable[[bytes], bytes]:
    return lambda data: jwt.get_algorithm_by_name("ES256").sign(data, key)
