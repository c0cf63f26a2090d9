"""One sign-in with OpenID Connect, as the browser is sent away with it and comes back (OpenID Connect Core 1.0, 3.1).

begin ──▶ Flow, into a sealed cookie ──▶ … the provider … ──▶ ?code=…&state=… and the cookie ──▶ finish

state      this browser began it, and nobody else's code is brought in (RFC 6749, 10.12)
nonce      the ID token was made for it
verifier   whoever sees the code on the way has no use for it (PKCE, RFC 7636)
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from oauthlib.oauth2 import OAuth2Error, WebApplicationClient

from registry.auth.sign_in.refusals import SignInRefused
from registry.client.errors import harmless

LIFETIME: Final = timedelta(minutes=10)
LONGEST_CALLBACK: Final = 8192
_SKEW: Final = timedelta(seconds=30)
_VERIFIER: Final = 64
_MOST_PARAMETERS: Final = 32
# The library asks for https; where plain http may go was decided with the settings, and only the query is used.
_SOMEWHERE: Final = "https://somewhere.invalid/"


@dataclass(frozen=True, slots=True)
class Flow:
    """What must be remembered until the browser is back. As bytes it holds secrets, and is for who can seal them."""

    source: str
    redirect_uri: str
    created: datetime
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def begin(cls, source: str, redirect_uri: str, now: datetime) -> Self:
        """A new one, which nobody can guess."""
        verifier = WebApplicationClient("").create_code_verifier(_VERIFIER)
        created = now.replace(microsecond=0)
        return cls(source, redirect_uri, created, secrets.token_urlsafe(32), secrets.token_urlsafe(32), verifier)

    def to_bytes(self) -> bytes:
        """All of it; `from_bytes` leads back."""
        created = int(self.created.timestamp())
        return json.dumps(
            [self.source, self.redirect_uri, created, self.state, self.nonce, self.verifier], separators=(",", ":")
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises: ValueError."""
        try:
            source, redirect_uri, created, state, nonce, verifier = json.loads(data)
            flow = cls(source, redirect_uri, datetime.fromtimestamp(created, UTC), state, nonce, verifier)
        except (ValueError, TypeError, OverflowError, OSError, RecursionError) as error:
            raise ValueError("these bytes are no flow") from error
        if not all(isinstance(each, str) and each for each in (source, redirect_uri, state, nonce, verifier)):
            raise ValueError("these bytes are no flow")
        return flow


def authorization_url(endpoint: str, flow: Flow, client_id: str, scopes: Sequence[str]) -> str:
    """Where the browser is sent."""
    client = WebApplicationClient(client_id)
    asked = client.prepare_request_uri(
        _SOMEWHERE,
        redirect_uri=flow.redirect_uri,
        scope=list(scopes),
        state=flow.state,
        code_challenge=client.create_code_challenge(flow.verifier, "S256"),
        code_challenge_method="S256",
        nonce=flow.nonce,
    )
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlsplit(asked).query}"


def code_in(callback_query: str, flow: Flow, issuer: str, now: datetime) -> str:
    """The code that the browser has brought from where it was sent. Raises: SignInRefused."""
    # Another replica may have begun it, whose clock is a little ahead.
    if not -_SKEW <= now - flow.created <= LIFETIME:
        raise SignInRefused(f"{flow.source}: it was begun at {flow.created:%H:%M:%S}, and took too long")
    parameters = _parameters(callback_query, flow.source)
    # The library's own comparison would tell by its time how much of a guess was right.
    if not hmac.compare_digest(parameters.get("state", "").encode(), flow.state.encode()):
        raise SignInRefused(f"{flow.source}: the state is not that of this browser")
    if parameters.get("iss", issuer) != issuer:
        raise SignInRefused(f"{flow.source}: another issuer answers, {harmless(parameters['iss'])} (RFC 9207)")
    try:
        told = WebApplicationClient("").parse_request_uri_response(
            f"{_SOMEWHERE}?{urlencode(parameters)}", state=flow.state
        )
    except OAuth2Error as error:
        raise SignInRefused(
            f"{flow.source}: the provider says {harmless(f'{error.error}: {error.description}')}"
        ) from None
    return str(told["code"])


def token_form(code: str, flow: Flow, client_id: str, secret: str | None) -> str:
    """What is posted to have tokens for a code; `client_id` stands there with its secret, or neither does."""
    who = {} if secret is None else {"client_secret": secret}
    return str(
        WebApplicationClient(client_id).prepare_request_body(
            code=code,
            redirect_uri=flow.redirect_uri,
            code_verifier=flow.verifier,
            include_client_id=secret is not None,
            **who,
        )
    )


def _parameters(query: str, source: str) -> dict[str, str]:
    """Each once: of two, who reads the first and who reads the last would not agree."""
    try:
        pairs = parse_qsl(query[: LONGEST_CALLBACK + 1], keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        pairs = []
    times = Counter(name for name, _ in pairs)
    if not query.isascii() or len(query) > LONGEST_CALLBACK or not pairs or max(times.values()) > 1:
        raise SignInRefused(f"{source}: what the browser brings back is malformed")
    return dict(pairs)
