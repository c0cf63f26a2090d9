"""Tokens that nobody issued (field-notes, section 4)."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conformance.claims import is_refused
from tests.conformance.deployments import ADMIN, Deployment
from tests.conformance.tokens import Bearer, get_token
from tests.support.client import RegistryClient
from tests.support.images import TinyImage
from tests.support.login import Challenge


class TestForgery:
    """Field-notes, section 4: tokens pin `alg`, `iss`, `aud`; no key comes from a token's header (CVE-2025-24976)."""

    @pytest.fixture
    def claims(self, guarded: Deployment, repository: str, private: TinyImage) -> dict[str, Any]:
        """The claims of a token that opens the repository; only its signature is not the forger's to make."""
        token = get_token(guarded, f"repository:{repository}:pull").json()["token"]
        assert RegistryClient(guarded.connect(Bearer(token))).manifest(repository, "v1").content == private.manifest
        decoded: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        return decoded

    def is_refused(self, guarded: Deployment, repository: str, token: str) -> bool:
        """Whether a token opens nothing, and is called what it is (RFC 6750, section 3.1)."""
        answer = RegistryClient(guarded.connect(Bearer(token))).manifest(repository, "v1")
        return is_refused(answer, 401, "UNAUTHORIZED") and Challenge.of(answer).parameters["error"] == "invalid_token"

    def test_no_signature_is_no_token(self, guarded: Deployment, repository: str, claims: dict[str, Any]) -> None:
        """`alg: none`."""
        for none in ("none", "None", "NONE"):
            header = {"alg": none, "typ": "JWT"}
            parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
            assert self.is_refused(guarded, repository, b".".join([*parts, b""]).decode())

    def test_a_key_of_the_tokens_own_header_is_not_believed(
        self, guarded: Deployment, repository: str, claims: dict[str, Any]
    ) -> None:
        """`jwk`, `x5c` and `jku` (CVE-2025-24976)."""
        key = ec.generate_private_key(ec.SECP256R1())
        jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
        for more in ({"jwk": jwk}, {"jku": f"{guarded.url}/keys"}, {"x5c": ["MIIB"]}, {}):
            assert self.is_refused(guarded, repository, jwt.encode(claims, key, algorithm="ES256", headers=more))

    def test_the_name_of_a_known_key_does_not_make_another_key_its_equal(
        self, guarded: Deployment, repository: str, claims: dict[str, Any]
    ) -> None:
        """`kid` finds a key and proves nothing."""
        token = get_token(guarded, f"repository:{repository}:pull").json()["token"]
        header = jwt.get_unverified_header(token)
        key = ec.generate_private_key(ec.SECP256R1())
        forged = jwt.encode(claims, key, algorithm="ES256", headers={"kid": header["kid"]})
        assert self.is_refused(guarded, repository, forged)

    def test_a_secret_that_everybody_knows_signs_nothing(
        self, guarded: Deployment, repository: str, claims: dict[str, Any]
    ) -> None:
        """`alg` is pinned: no HMAC, whatever its key."""
        for secret in ("entrepot" * 4, ADMIN[1] * 4):
            assert self.is_refused(guarded, repository, jwt.encode(claims, secret, algorithm="HS256"))

    @pytest.mark.parametrize("part", [0, 1, 2])
    def test_a_token_that_was_touched_is_no_token(self, guarded: Deployment, repository: str, part: int) -> None:
        """Its signature covers header and claims."""
        parts = get_token(guarded, f"repository:{repository}:pull").json()["token"].split(".")
        middle = len(parts[part]) // 2
        other = "A" if parts[part][middle] != "A" else "B"
        parts[part] = parts[part][:middle] + other + parts[part][middle + 1 :]
        assert self.is_refused(guarded, repository, ".".join(parts))

    def test_claims_cannot_be_exchanged_between_tokens(
        self, guarded: Deployment, repository: str, other_repository: str
    ) -> None:
        """A signature belongs to its claims."""
        own = get_token(guarded, f"repository:{repository}:pull").json()["token"].split(".")
        other = get_token(guarded, f"repository:{other_repository}:pull").json()["token"].split(".")
        assert self.is_refused(guarded, repository, ".".join([*own[:2], other[2]]))
