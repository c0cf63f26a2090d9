"""Secrets of our own making: personal tokens and robots' secrets, what clients keep for a password, browser sessions.

    entp_ k3JX… (36 of 62 letters, 214 bits) … 6 letters of checksum
    kind                                       CRC-32 of all before it, so that a scanner for lost secrets knows its own

They are kept as SHA-256: nobody guesses 214 bits, so there is nothing that a slow hash would protect. The lookup is by
that hash, and what it takes tells nothing of the secret.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field
from typing import Final, Self

from registry.core.facts import CredentialKind

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM: Final = 36
_CHECK: Final = 6
_HINT: Final = 9
_PREFIXES: Final = {
    "entp": CredentialKind.TOKEN,
    "entr": CredentialKind.REFRESH,
    "ents": CredentialKind.SESSION,
}
_SHAPE: Final = re.compile(rf"(entp|entr|ents)_[0-9A-Za-z]{{{_RANDOM + _CHECK}}}")


@dataclass(frozen=True, slots=True)
class Opaque:
    """Such a secret; its repr keeps it to itself."""

    kind: CredentialKind
    text: str = field(repr=False)

    @classmethod
    def generate(cls, kind: CredentialKind) -> Self:
        """A new one. Raises: KeyError for a kind that people choose themselves."""
        prefix = {each: prefix for prefix, each in _PREFIXES.items()}[kind]
        body = f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
        return cls(kind, body + _checksum(body))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """One of ours, by its looks: whether there is such a one, the database knows."""
        shape = _SHAPE.fullmatch(text) if len(text) <= len("entp_") + _RANDOM + _CHECK else None
        if shape is None or _checksum(text[:-_CHECK]) != text[-_CHECK:]:
            return None
        return cls(_PREFIXES[shape[1]], text)

    @property
    def hashed(self) -> str:
        """As it is kept."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def hint(self) -> str:
        """What may be shown of it: enough to know it again, by its owner."""
        return self.text[:_HINT]


def _checksum(body: str) -> str:
    number, letters = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK):
        number, letter = divmod(number, len(_ALPHABET))
        letters = _ALPHABET[letter] + letters
    return letters
