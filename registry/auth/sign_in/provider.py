"""A provider of OpenID Connect, asked over HTTP: the authorization code flow with PKCE, seen from the client.

begin    discovery document (kept)                            ──▶ where the browser goes, and its Flow
finish   code and state ──▶ token endpoint ──▶ ID token ──▶ keys (kept; again for an unknown one)
                                                   └──▶ UserInfo, for claims that it lacks ──▶ ExternalIdentity
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote_plus

from registry.auth.sign_in.claims import identity_in, is_complete
from registry.auth.sign_in.documents import LARGEST, Metadata, Tokens, json_object, parse_metadata, parse_tokens
from registry.auth.sign_in.fetched import Fetched
from registry.auth.sign_in.flow import Flow, authorization_url, code_in, token_form
from registry.auth.sign_in.id_token import Expected, Header, claims_of, header_of
from registry.auth.sign_in.key_set import Key, KeySet, parse_key_set
from registry.auth.sign_in.refusals import SignInRefused, SourceUnavailable
from registry.auth.sign_in.sources import OidcSource
from registry.client.answer import Whole
from registry.client.errors import Malformed, RemoteError, harmless
from registry.client.origin import Origin
from registry.client.transport import Patience, Transport
from registry.core.facts import ExternalIdentity

PATIENCE: Final = Patience(connect=5.0, read=10.0, attempts=2, first_pause=0.2, longest_pause=1.0)
"""Somebody sits before a page and waits."""
_CONNECTIONS: Final = 4


def _now() -> datetime:
    return datetime.now(UTC)


class Provider:
    """One source, for any number of threads; every call may wait for the provider, so none belongs on an event loop."""

    def __init__(
        self,
        source: OidcSource,
        *,
        patience: Patience = PATIENCE,
        now: Callable[[], datetime] = _now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Asks nobody yet. Raises: OSError for a `ca` that cannot be read."""
        self.source = source
        self._now = now
        self._transport = Transport(Origin.of(source.issuer), ca=source.ca, connections=_CONNECTIONS, patience=patience)
        self._metadata: Fetched[Metadata] = Fetched(self._fetch_metadata, clock)
        self._keys: Fetched[KeySet] = Fetched(self._fetch_keys, clock)

    def begin(self, redirect_uri: str) -> tuple[str, Flow]:
        """Where the browser is to go, and what has to be known when it is back. Raises: SourceUnavailable."""
        metadata = self._metadata.get()
        flow = Flow.begin(self.source.name, redirect_uri, self._now())
        url = authorization_url(metadata.authorization_endpoint, flow, self.source.client_id, self.source.scopes)
        return url, flow

    def finish(self, flow: Flow, callback_query: str) -> ExternalIdentity:
        """Who has signed in, by what the browser brings back. Raises: SignInRefused, SourceUnavailable."""
        if flow.source != self.source.name:
            raise SignInRefused(f"{self.source.name}: the flow was begun with {harmless(flow.source)}")
        code = code_in(callback_query, flow, self.source.issuer, self._now())
        tokens = self._exchange(code, flow)
        claims = self._verified(tokens, flow)
        if not is_complete(claims, self.source):
            # What was signed stays as it is.
            claims = self._userinfo(tokens, claims["sub"]) | claims
        return identity_in(claims, self.source)

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()

    def _exchange(self, code: str, flow: Flow) -> Tokens:
        metadata, secret = self._metadata.get(), self._secret()
        client_id = self.source.client_id
        form = token_form(code, flow, client_id, None if metadata.is_basic else secret)
        with self._telling():
            whole = self._transport.post(
                metadata.token_endpoint,
                form,
                LARGEST,
                authorization=_basic(client_id, secret) if metadata.is_basic else None,
            )
            if whole.status == 200:  # noqa: PLR2004  the only one that brings tokens
                return parse_tokens(whole.body)
            error = _error_in(whole)
        if error == "invalid_grant":
            raise SignInRefused(f"{self.source.name}: the provider does not take the code")
        # Our own settings, or its trouble: nothing that the person could do better.
        raise SourceUnavailable(
            self.source.name, f"the token endpoint answers {whole.status} {harmless(error)}".strip()
        )

    def _verified(self, tokens: Tokens, flow: Flow) -> dict[str, Any]:
        header = header_of(tokens.id_token, self.source.name)
        expected = Expected(
            self.source.name, self.source.issuer, self.source.client_id, flow.nonce, tokens.access_token
        )
        return claims_of(tokens.id_token, header, self._key(header), expected, self._now())

    def _key(self, header: Header) -> Key:
        """The provider's, fetched again when it may have got a new one."""
        key = self._keys.get().find(header.kid, header.algorithm)
        key = key or self._keys.newer().find(header.kid, header.algorithm)
        if key is None:
            told = f"no key of the provider is {harmless(str(header.kid))!a} for {header.algorithm}"
            raise SignInRefused(f"{self.source.name}: {told}")
        return key

    def _userinfo(self, tokens: Tokens, subject: str) -> dict[str, Any]:
        """The claims that the provider tells who asks (OpenID Connect Core 1.0, 5.3), if it tells any."""
        endpoint = self._metadata.get().userinfo_endpoint
        if endpoint is None or tokens.access_token is None:
            return {}
        body = self._read(endpoint, f"Bearer {tokens.access_token}")
        with self._telling():
            claims = json_object(body, "the answer of UserInfo")
        if claims.get("sub") != subject:
            raise SignInRefused(f"{self.source.name}: UserInfo tells of somebody else (OpenID Connect Core 1.0, 5.3.2)")
        return claims

    def _fetch_metadata(self) -> Metadata:
        body = self._read(f"{self.source.issuer.rstrip('/')}/.well-known/openid-configuration")
        with self._telling():
            return parse_metadata(body, self.source.issuer)

    def _fetch_keys(self) -> KeySet:
        body = self._read(self._metadata.get().jwks_uri)
        with self._telling():
            return parse_key_set(body)

    def _read(self, url: str, authorization: str | None = None) -> bytes:
        with self._telling():
            whole = self._transport.read(url, LARGEST, {"Accept": "application/json"}, authorization)
        if whole.status != 200:  # noqa: PLR2004  the only one that brings a document
            raise SourceUnavailable(self.source.name, f"{url} answers {whole.status}")
        return whole.body

    def _secret(self) -> str:
        try:
            return self.source.client_secret.reveal()
        except (OSError, ValueError) as error:
            raise SourceUnavailable(self.source.name, f"the client's secret cannot be read: {error}") from None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except RemoteError as error:
            raise SourceUnavailable(self.source.name, str(error)) from None


def _basic(client_id: str, secret: str) -> str:
    """Both urlencoded first, unlike anywhere else (RFC 6749, 2.3.1)."""
    return f"Basic {b64encode(f'{quote_plus(client_id)}:{quote_plus(secret)}'.encode()).decode()}"


def _error_in(whole: Whole) -> str:
    """The word for what is wrong (RFC 6749, 5.2)."""
    try:
        return str(json_object(whole.body, "the refusal").get("error", ""))
    except Malformed:
        return ""
