"""`WWW-Authenticate` (RFC 9110, section 11.6.1), read as it is written by registries and by what stands before them.

    Bearer realm="https://auth.example.org/token",service="registry",scope="repository:app:pull", Basic realm=x
    └─────────────────────────── one challenge ────────────────────────────────────────────────┘  └── the next ─┘

A comma separates both parameters and challenges, and stands inside quotes too: so the header is walked piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 16 << 10
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"=][^\s,"]*))', re.DOTALL)
# A scheme, and the single word that some put behind it (token68); a parameter is none, for it goes on behind its `=`.
_SCHEME: Final = re.compile(rf"({_WORD})(?:[ \t]+[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$)))?")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to say who we are; scheme and names of parameters in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """All challenges of an answer, in order; what is none is passed over."""
    return [challenge for header in headers for challenge in _challenges(header[:_LONGEST])]


def _challenges(header: str) -> Iterator[Challenge]:
    scheme, parameters = "", dict[str, str]()
    for name, value in _pieces(header):
        if value is not None:
            # The first of two wins, as it does for whoever reads only one.
            parameters.setdefault(name, value)
            continue
        if scheme:
            yield Challenge(scheme, parameters)
        scheme, parameters = name, {}
    if scheme:
        yield Challenge(scheme, parameters)


def _pieces(header: str) -> Iterator[tuple[str, str | None]]:
    """Each parameter with its value, each scheme with None."""
    position = 0
    while position < len(header):
        if header[position] in " \t,":
            position += 1
        elif found := _PARAMETER.match(header, position):
            position = found.end()
            quoted, plain = found[2], found[3]
            yield found[1].lower(), plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
        elif found := _SCHEME.match(header, position):
            position = found.end()
            yield found[1].lower(), None
        else:
            comma = header.find(",", position)
            position = len(header) if comma < 0 else comma
