"""What can go wrong with a registry elsewhere: a class for whoever acts on it, a message for whoever reads it."""

from __future__ import annotations

import json
from typing import Final

LONGEST_REFUSAL: Final = 64 << 10
_LONGEST_WORD: Final = 200


class RemoteError(Exception):
    """The registry does not give what was asked for; the message names what that was."""


class Unanswered(RemoteError):
    """No answer, half an answer, or one that says to come again; a later attempt may fare better."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        """`wait` is how many seconds the registry asks for."""
        super().__init__(message)
        self.wait = wait


class Untrusted(RemoteError):
    """It leads where we do not go: a certificate nobody vouches for, a downgrade to plain HTTP, an inner address."""


class Malformed(RemoteError):
    """An answer that is not what the specification says, contradicts itself, or is larger than it may be."""


class Refused(RemoteError):
    """An answer with another status than the one that was hoped for."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotFound(Refused):
    """404: it is not there, or we may not know that it is."""


class Forbidden(Refused):
    """401, 403 or no token: we have not said who we are, or may not have it."""


def refusal(what: str, status: int, body: bytes) -> Refused:
    """The error for an answer; `body` may hold the words of the specification (distribution-spec, Error Codes)."""
    words = _words(body)
    message = f"{what}: {status}{f' {words}' if words else ''}"
    kinds = {401: Forbidden, 403: Forbidden, 404: NotFound}
    return kinds.get(status, Refused)(message, status)


def harmless(text: str) -> str:
    """What others wrote, short enough for a line and without anything that a terminal would obey."""
    return "".join(each if each.isprintable() else "?" for each in text[:_LONGEST_WORD])


def _words(body: bytes) -> str:
    try:
        first = json.loads(body)["errors"][0]
        return ": ".join(harmless(str(first[key])) for key in ("code", "message") if first.get(key))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return ""
