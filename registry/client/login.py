"""Who we are to a registry: Basic, or a bearer token of the service that it names (distribution's token protocol).

    GET /v2/… ──▶ 401, Bearer realm, service, scope ──▶ GET realm?service=…&scope=… (Basic) ──▶ token ──▶ GET /v2/…

Who may be told the password is decided in `origin`. A token is kept until it expires, each for its scope.
"""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Final
from urllib.parse import urlencode, urlsplit

from registry.client.challenge import Challenge, parse_challenges
from registry.client.errors import Forbidden, Malformed, Untrusted, refusal
from registry.client.origin import Origin, may_have_password
from registry.client.transport import Transport

_LARGEST: Final = 256 << 10
# What a service that says nothing of it means, by the protocol.
_LIFETIME: Final = 60.0
_LONGEST_LIFETIME: Final = 3600.0
_USABLE: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password, and the hosts that may be told beside those that `origin` allows."""

    username: str
    password: str = field(repr=False)
    token_hosts: frozenset[str] = frozenset()

    @property
    def basic(self) -> str:
        """The `Authorization` (RFC 7617)."""
        return f"Basic {b64encode(f'{self.username}:{self.password}'.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class Token:
    """What is sent, and until when by our clock."""

    authorization: str
    until: float


class Login:
    """What the registry has asked for so far, and what it was given."""

    def __init__(
        self, transport: Transport, credentials: Credentials | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Without credentials whoever wants a token gets one for nobody in particular."""
        self._transport = transport
        self._credentials = credentials
        self._clock = clock
        self._lock = RLock()
        self._known: Challenge | None = None
        self._tokens: dict[str, Token] = {}

    def learn(self, challenges: Sequence[str]) -> None:
        """How the registry wants to be asked, from its answer to somebody who has said nothing."""
        with self._lock:
            self._known = self._usable(parse_challenges(challenges))

    def authorization(self, scope: str) -> str | None:
        """What to send by what is known, before the registry asks. Raises: as `Transport.read`, and Refused."""
        with self._lock:
            if self._known is None:
                return None
            if self._known.scheme == "basic":
                return self._credentials.basic if self._credentials else None
            token = self._tokens.get(scope)
            if token is None or self._clock() >= token.until:
                token = self._tokens[scope] = self._fetch(self._known, scope)
            return token.authorization

    def answer(self, challenges: Sequence[str], scope: str, sent: str | None) -> str | None:
        """What to send instead of what a 401 has turned down; None where there is nothing else. Raises: likewise."""
        with self._lock:
            usable = self._usable(parse_challenges(challenges))
            if usable is None:
                return None
            self._known = usable
            if usable.scheme == "bearer" and (token := self._tokens.get(scope)) and token.authorization == sent:
                del self._tokens[scope]
            if usable.scheme == "bearer" and scope not in self._tokens:
                # The registry knows best what it wants to see.
                self._tokens[scope] = self._fetch(usable, usable.parameters.get("scope") or scope)
            again = self.authorization(scope)
            return None if again == sent else again

    def _usable(self, challenges: Sequence[Challenge]) -> Challenge | None:
        """A token first: it tells the registry less."""
        bearer = (each for each in challenges if each.scheme == "bearer" and each.parameters.get("realm"))
        basic = (each for each in challenges if each.scheme == "basic" and self._credentials)
        return next(bearer, None) or next(basic, None)

    def _fetch(self, challenge: Challenge, scope: str) -> Token:
        realm = challenge.parameters["realm"]
        service = challenge.parameters.get("service")
        asked = [("service", service)] if service else []
        asked += [("scope", each) for each in scope.split()]
        if self._credentials:
            asked.append(("account", self._credentials.username))
        origin = self._trusted(realm)
        url = f"{realm}{'&' if urlsplit(realm).query else '?'}{urlencode(asked)}"
        began = self._clock()
        whole = self._transport.read(
            url, _LARGEST, authorization=self._credentials.basic if self._credentials else None
        )
        if whole.status != 200:  # noqa: PLR2004  the only one that brings a token
            told = refusal(f"the token service {origin.authority}", whole.status, whole.body)
            # As the registry answers who has no token: a 404 of the service does not mean that anything is absent.
            raise Forbidden(str(told), 401)
        return _token(whole.body, origin, began)

    def _trusted(self, realm: str) -> Origin:
        """Raises: Untrusted, Malformed."""
        home = self._transport.home
        try:
            origin = Origin.of(realm)
        except ValueError as error:
            raise Malformed(f"{home.authority} names a token service: {error}") from None
        if origin.scheme == "http" and home.scheme == "https":
            raise Untrusted(f"{home.authority} names a token service at {origin}, which is plain http")
        if self._credentials and not may_have_password(origin, home, self._credentials.token_hosts):
            raise Untrusted(f"{home.authority} names a token service at {origin}, which is not to have its password")
        return origin


def _token(body: bytes, origin: Origin, began: float) -> Token:
    try:
        document = json.loads(body)
        text = document.get("token") or document.get("access_token")
        lifetime = float(document.get("expires_in") or _LIFETIME)
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError):
        raise Malformed(f"the token service {origin.authority} answers with no token") from None
    if not isinstance(text, str) or not _USABLE.fullmatch(text):
        raise Malformed(f"the token service {origin.authority} answers with no token")
    # Renewed a little early: it has to live until the registry reads it.
    return Token(f"Bearer {text}", began + 0.9 * max(0.0, min(lifetime, _LONGEST_LIFETIME)))
