"""One host's outbound HTTP: GETs that follow redirects, come again later, and never say too much to a stranger.

open ──▶ attempt ──▶ home ──▶ 30x elsewhere ──▶ answer
           ▲                  without Authorization, never from https to http,
           │                  never further inside than home is (origin, connections)
           └── no connection, 429, 502, 503, 504: a pause that grows, or as long as Retry-After says

A form is posted once, and follows nobody.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import urljoin, urlsplit

from urllib3 import Timeout
from urllib3.exceptions import HTTPError, SSLError

from registry.client.answer import Answer, Whole, said
from registry.client.connections import Connections
from registry.client.errors import LONGEST_REFUSAL, Malformed, Unanswered, Untrusted, harmless
from registry.client.origin import Origin

_LATER: Final = frozenset({429, 502, 503, 504})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often; in seconds. A registry that wants a longer pause than `longest_pause` is given up."""

    connect: float = 10.0
    read: float = 60.0
    attempts: int = 5
    first_pause: float = 0.5
    longest_pause: float = 60.0

    def pause(self, attempt: int) -> float:
        """After so many attempts; by chance, so that many threads do not come back as one."""
        return random.uniform(0.5, 1.0) * min(self.longest_pause, self.first_pause * 2.0 ** (attempt - 1))  # noqa: S311  no secret


class Transport:
    """For any number of threads, of which as many as there are `connections` have an answer at the same time."""

    def __init__(
        self,
        home: Origin,
        *,
        allow_http: bool = False,
        ca: Path | None = None,
        connections: int = 8,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Plain HTTP goes to loopback addresses, elsewhere if `allow_http`. Raises: Untrusted, OSError for `ca`."""
        self.home = home
        self.patience = patience or Patience()
        self._allow_http = allow_http
        self._sleep = sleep
        self._refuse_plain(home)
        timeout = Timeout(connect=self.patience.connect, read=self.patience.read)
        self._connections = Connections(home, connections, timeout, ca)

    def open(self, url: str, headers: Mapping[str, str] = _NOTHING, authorization: str | None = None) -> Answer:
        """An answer whose body is still to come. Raises: Unanswered, Untrusted, Malformed."""
        return self._patiently(lambda: self._once(url, headers, authorization))

    def read(
        self, url: str, limit: int, headers: Mapping[str, str] = _NOTHING, authorization: str | None = None
    ) -> Whole:
        """An answer and all of its body, of at most `limit` bytes. Raises: as `open`."""

        def attempt() -> Whole:
            with self._once(url, headers, authorization) as answer:
                is_wanted = answer.status < 300  # noqa: PLR2004  anything above is a refusal
                body = answer.read(limit) if is_wanted else answer.beginning(LONGEST_REFUSAL)
                return Whole(answer.origin, answer.status, answer.headers, body)

        return self._patiently(attempt)

    def post(
        self, url: str, form: str, limit: int, headers: Mapping[str, str] = _NOTHING, authorization: str | None = None
    ) -> Whole:
        """The answer to a form, which is urlencoded already; a body of more than `limit` bytes is Malformed.

        Sent once, for whoever did not answer may have acted on it. A redirect is an answer like any other: what is in
        the form was meant for `url` alone. Raises: as `open`.
        """
        sent = _sent({**headers, "Content-Type": "application/x-www-form-urlencoded"}, authorization)
        origin = _origin(url)
        with _unless_later(self._ask(origin, url, sent, form), origin) as answer:
            return Whole(origin, answer.status, answer.headers, answer.read(limit))

    def pause(self, attempt: int, least: float = 0.0) -> None:
        """Before another attempt."""
        self._sleep(max(least, self.patience.pause(attempt)))

    def close(self) -> None:
        """Give the connections back."""
        self._connections.close()

    def _patiently(self, ask: Callable[[], T]) -> T:
        attempt = 1
        while True:
            try:
                return ask()
            except Unanswered as error:
                if attempt >= self.patience.attempts or error.wait > self.patience.longest_pause:
                    raise
                self.pause(attempt, error.wait)
            attempt += 1

    def _once(self, url: str, headers: Mapping[str, str], authorization: str | None) -> Answer:
        """Through all redirects. What is secret goes to the first origin, and is not taken up again on a way back."""
        sent = _sent(headers, authorization)
        origin = _origin(url)
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._ask(origin, url, sent)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or location is None:
                return _unless_later(answer, origin)
            with answer:
                url = _joined(url, location)
                # To its end, which is near: then the connection is used again, and each blob may come by a redirect.
                answer.beginning(LONGEST_REFUSAL)
            following = _origin(url)
            if following != origin:
                sent.pop("Authorization", None)
            if (origin.scheme, following.scheme) == ("https", "http"):
                raise Untrusted(f"{origin.authority} redirects from https to plain http at {following.authority}")
            origin = following
        raise Malformed(f"{self.home.authority} redirects more than {_MOST_REDIRECTS} times")

    def _ask(self, origin: Origin, url: str, headers: Mapping[str, str], form: str | None = None) -> Answer:
        self._refuse_plain(origin)
        parts = urlsplit(url)
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        try:
            response = self._connections.to(origin).urlopen(
                "GET" if form is None else "POST",
                target,
                body=form,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        except SSLError as error:
            if _is_distrust(error):
                raise Untrusted(f"the certificate of {origin.authority} is not trusted: {said(error)}") from None
            raise Unanswered(f"{origin.authority} does not answer: {said(error)}") from None
        except (HTTPError, OSError) as error:
            raise Unanswered(f"{origin.authority} does not answer: {said(error)}") from None
        except ValueError as error:
            # A host or a header that cannot be sent: by then it was somebody else who wrote it.
            raise Malformed(f"{origin.authority} cannot be asked: {harmless(str(error))}") from None
        return Answer(response, origin)

    def _refuse_plain(self, origin: Origin) -> None:
        if origin.scheme == "http" and not (origin.is_loopback or self._allow_http):
            raise Untrusted(f"plain http to {origin.authority} is not allowed")


def _sent(headers: Mapping[str, str], authorization: str | None) -> dict[str, str]:
    said_of_us = {"Accept-Encoding": "identity", "User-Agent": "entrepot"}
    return {**headers, **said_of_us} | ({"Authorization": authorization} if authorization else {})


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise Malformed(f"{location[:200]!a} is no URL") from None


def _origin(url: str) -> Origin:
    try:
        return Origin.of(url)
    except ValueError as error:
        raise Malformed(str(error)) from None


def _unless_later(answer: Answer, origin: Origin) -> Answer:
    """The answer, unless it says to come again. Raises: Unanswered."""
    if answer.status not in _LATER:
        return answer
    with answer:
        wait = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
        said = f", and wants {wait:.0f} s of pause" if wait else ""
        raise Unanswered(f"{origin.authority} answers {answer.status}{said}", wait)


def retry_after(header: str | None, now: datetime) -> float:
    """Seconds that `Retry-After` asks for, as a number or as a date (RFC 9110, section 10.2.3)."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return 0.0
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())


def _is_distrust(error: SSLError) -> bool:
    return any(isinstance(each, ssl.SSLCertVerificationError) for each in (*error.args, error.__cause__))
