"""A provider of OpenID Connect that keeps every rule, except those that a test tells it to break.

with ScriptedProvider() as provider:
    provider.claims["nonce"] = "another"            # None leaves a claim out
    query = provider.consent(url)                   # what the browser brings back

What a real provider does is tested with a real one (oidc_provider); this one does what that never would.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.elsewhere import Elsewhere, Reply, Seen, json_reply

CLIENT_ID, CLIENT_SECRET = "entrepot", "a secret: of a client"
ACCESS_TOKEN: Final = "an-access-token"
SUBJECT: Final = "subject-7"
PRIVATE: Final[dict[str, Any]] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
PRIVATE["PS256"] = PRIVATE["RS256"]

Signing = Callable[[dict[str, Any]], str]


class ScriptedProvider:
    """Honest from the start. `elsewhere` is its socket: what it has seen, and replies `instead` and `always`."""

    def __init__(self) -> None:
        self.elsewhere = Elsewhere()
        self.elsewhere.before = self._reply
        self.algorithm = "ES256"
        self.kid: str | None = "first"
        self.metadata: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] | None = None
        self.keys: Callable[[], list[dict[str, Any]]] = lambda: [public_jwk(self.algorithm, self.kid)]
        self.sign: Signing = self._signed
        self._asked: dict[str, dict[str, str]] = {}

    @property
    def issuer(self) -> str:
        return self.elsewhere.url

    def consent(self, url: str) -> str:
        """As somebody at the authorization endpoint would; the query that the browser is sent back with."""
        assert url.startswith(f"{self.issuer}/authorize?")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        code = f"code-{len(self._asked)}"
        self._asked[code] = asked
        return urlencode({"code": code, "state": asked["state"]})

    def __enter__(self) -> Self:
        self.elsewhere.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.elsewhere.stop()

    def _reply(self, seen: Seen) -> Reply | None:
        answering: dict[str, Callable[[Seen], Reply]] = {
            "/.well-known/openid-configuration": self._discovery,
            "/keys": lambda _: json_reply({"keys": self.keys()}),
            "/token": self._token,
            "/userinfo": self._userinfo,
        }
        answer = answering.get(seen.path)
        return answer(seen) if answer else None

    def _discovery(self, _: Seen) -> Reply:
        endpoints = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        endpoints |= {"userinfo_endpoint": "userinfo"} if self.userinfo is not None else {}
        document = {name: f"{self.issuer}/{path}" for name, path in endpoints.items()}
        return json_reply({"issuer": self.issuer} | document | self.metadata)

    def _token(self, seen: Seen) -> Reply:
        if not self._is_our_client(seen):
            return _refusal(401, "invalid_client")
        # A code is good for once, for whoever knows what the challenge was made of (RFC 7636, 4.6).
        asked = self._asked.pop(seen.form["code"], {})
        if asked.get("code_challenge") != _challenge(seen.form["code_verifier"]):
            return _refusal(400, "invalid_grant")
        if asked["redirect_uri"] != seen.form["redirect_uri"]:
            return _refusal(400, "invalid_grant")
        now = int(time.time())
        usual = {
            "iss": self.issuer, "sub": SUBJECT, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            "preferred_username": "alice", "groups": ["devs"],
        }  # fmt: skip
        claims = {name: value for name, value in (usual | self.claims).items() if value is not None}
        return json_reply({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": self.sign(claims)})

    def _is_our_client(self, seen: Seen) -> bool:
        if "client_secret" in seen.form:
            return (seen.form["client_id"], seen.form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        _, _, encoded = seen.headers.get("Authorization", "").partition(" ")
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
        return (unquote_plus(name), unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET)

    def _userinfo(self, seen: Seen) -> Reply:
        if seen.headers.get("Authorization") != f"Bearer {ACCESS_TOKEN}":
            return Reply(401)
        return json_reply({"sub": SUBJECT, **(self.userinfo or {})})

    def _signed(self, claims: dict[str, Any]) -> str:
        headers = {"kid": self.kid} if self.kid is not None else {}
        return jwt.encode(claims, PRIVATE[self.algorithm], algorithm=self.algorithm, headers=headers)


def public_jwk(algorithm: str, kid: str | None, private: Any = None) -> dict[str, Any]:
    """The public half of the key for an algorithm, as it is published."""
    public = (private or PRIVATE[algorithm]).public_key()
    jwk: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(public, as_dict=True)
    return {**jwk, **({"kid": kid} if kid is not None else {}), "use": "sig"}


def unsigned(claims: dict[str, Any], algorithm: str = "none", signature: bytes = b"", **header: Any) -> str:
    """A token by hand, as no library would make it."""
    parts = [json.dumps({"alg": algorithm, "typ": "JWT", **header}).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _refusal(status: int, error: str) -> Reply:
    return Reply(status, json.dumps({"error": error}).encode(), {"Content-Type": "application/json"})
