"""Digests: the names of bytes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from registry.oci.errors import DigestInvalid

# The registered algorithms (image-spec, Registered algorithms) with their digest length in bytes. The position
# in this table is the algorithm's byte in `Digest.packed`: append only.
ALGORITHMS: Final = {"sha256": 32, "sha512": 64}
_NUMBERS: Final = {name: number for number, name in enumerate(ALGORITHMS, start=1)}
_NAMES: Final = {number: name for name, number in _NUMBERS.items()}
# Parsed ones, as clients ask for the same again and again.
_REMEMBERED: Final = 4096
_FORM: Final = re.compile(r"(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128})")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The name of some bytes, `algorithm:hex`; to hold one is to know it is well formed (image-spec, Digests)."""

    algorithm: str
    hex: str

    @classmethod
    @lru_cache(_REMEMBERED)
    def parse(cls, text: str) -> Self:
        """Raises: DigestInvalid, also for an algorithm we do not compute."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise DigestInvalid(digest=text[:200], reason="not a digest, or of an algorithm that is not known here")
        return cls(found[1] or found[3], found[2] or found[4])

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Self:
        """The digest of bytes at hand."""
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """The inverse of `packed`."""
        return cls(_NAMES[packed[0]], packed[1:].hex())

    @property
    def packed(self) -> bytes:
        """One byte for the algorithm, then the raw digest: how digests are kept and ordered."""
        return bytes([_NUMBERS[self.algorithm]]) + bytes.fromhex(self.hex)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


def is_algorithm(name: str) -> bool:
    """Whether we compute digests of this algorithm."""
    return name in ALGORITHMS
