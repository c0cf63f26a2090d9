"""The `Basic` scheme (RFC 7617), read strictly."""

from __future__ import annotations

import base64
import re
from typing import Final, NamedTuple

MAX_HEADER: Final = 8 * 1024
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class BasicCredentials(NamedTuple):
    """What a caller claims about itself, not yet believed; its repr keeps the password to itself."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"BasicCredentials(username={self.username!r}, password=...)"


def parse_basic(header: str) -> BasicCredentials | None:
    """The credentials of an `Authorization` value, or None where it is another scheme or not well formed.

    Either part may be empty. Control characters are refused in both (RFC 7617, 2): in a name they forge log lines, and
    a NUL ends the password early in some hashes.
    """
    scheme, _, encoded = header.partition(" ")
    if len(header) > MAX_HEADER or scheme.lower() != "basic":
        return None
    try:
        text = _decoded(encoded.strip(" ")).decode("utf-8")
    except ValueError:
        return None
    username, colon, password = text.partition(":")
    if not colon or CONTROL.search(text):
        return None
    return BasicCredentials(username, password)


def _decoded(encoded: str) -> bytes:
    """The bytes of base64 in its one spelling; the library overlooks needless padding. Raises: ValueError."""
    data = base64.b64decode(encoded, validate=True)
    if base64.b64encode(data).decode() != encoded:
        raise ValueError("not canonical base64")
    return data
