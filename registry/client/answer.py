"""What a registry answers: while its body still comes, and once it was read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from urllib3 import BaseHTTPResponse, HTTPHeaderDict
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError
from urllib3.exceptions import TimeoutError as TooLate

from registry.client.errors import Malformed, Unanswered, harmless
from registry.client.origin import Origin

_CHUNK: Final = 1 << 20
_LENGTH: Final = re.compile(r"[0-9]{1,18}")


class Answer:
    """Status and headers, and the body while it comes; to be closed. `origin` is where redirects have led to."""

    def __init__(self, response: BaseHTTPResponse, origin: Origin) -> None:
        self._response = response
        self.origin = origin

    @property
    def status(self) -> int:
        """Of the last of all redirects."""
        return self._response.status

    @property
    def headers(self) -> HTTPHeaderDict:
        """By name, in any case."""
        return self._response.headers

    @property
    def length(self) -> int | None:
        """Of the body, where it is announced."""
        # In chunks, no announcement counts (RFC 9112, section 6.3).
        text = "" if "Transfer-Encoding" in self.headers else self.headers.get("Content-Length", "")
        return int(text) if _LENGTH.fullmatch(text) else None

    def chunks(self) -> Iterator[bytes]:
        """The body, once. Raises: Unanswered when it ends too early; Malformed."""
        coding = self.headers.get("Content-Encoding", "identity")
        if coding.lower() != "identity":
            raise Malformed(f"{self.origin.authority} answers in {harmless(coding)}, which was not asked for")
        try:
            yield from self._response.stream(_CHUNK, decode_content=False)
        except (HTTPError, OSError) as error:
            raise Unanswered(f"{self.origin.authority} broke off: {said(error)}") from None

    def read(self, limit: int) -> bytes:
        """The whole body, of at most `limit` bytes. Raises: Unanswered, Malformed."""
        body = bytearray()
        for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise Malformed(f"it has more than {limit} bytes")
        return bytes(body)

    def beginning(self, most: int) -> bytes:
        """As much of the body as comes, and no more than that: for the words of a refusal, which nobody depends on."""
        body = bytearray()
        with suppress(Unanswered, Malformed):
            for chunk in self.chunks():
                body += chunk[: most - len(body)]
                if len(body) == most:
                    break
        return bytes(body)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Once all was read the connection is back in its pool; else nobody can use it again.
        self._response.close()
        self._response.release_conn()


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that was read to its end."""

    origin: Origin
    status: int
    headers: HTTPHeaderDict
    body: bytes


def said(error: Exception) -> str:
    """In words for people: the library's own tell of its objects."""
    if isinstance(error, NameResolutionError):
        return "its name is not known"
    if isinstance(error, NewConnectionError):
        cause = error.__cause__
        return str(cause.strerror).lower() if isinstance(cause, OSError) and cause.strerror else "no connection"
    if isinstance(error, TooLate):
        return "it takes too long"
    cause = next((each for each in (*error.args[::-1], error) if isinstance(each, Exception)), error)
    return harmless(str(cause)) or type(cause).__name__
