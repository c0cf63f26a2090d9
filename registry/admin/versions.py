"""Versions as entity tags, against lost updates: who changes something may say what it was (RFC 9110, section 13.1).

If-Match: "1f0c2a9b-3"     only if it is this version still
If-Match: *                only if it is there
If-None-Match: *           only if it is not
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Header, Response

from registry.core.facts import GivenGrant, Principal
from registry.core.refusals import Changed
from registry.core.tag_rules import GivenRule

_TAGS: Final = re.compile(r'(?:W/)?"[^"]*"')
_ANY: Final = "*"

Versioned = Principal | GivenGrant | GivenRule


def etag(present: Versioned) -> str:
    """Whatever comes later under the same name, or on the same pattern, has another one."""
    uuid = present.grant.uuid if isinstance(present, GivenGrant) else present.uuid
    return f'"{uuid[:8]}-{present.version}"'


def tag_of(text: str) -> str:
    """Of something that has no version, but a text that tells one state of it from all others."""
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'


@dataclass(frozen=True, slots=True)
class Condition:
    """What a change depends on; the texts are the headers'."""

    match: str | None
    none_match: str | None

    @property
    def is_stated(self) -> bool:
        """Whether anything is demanded."""
        return self.match is not None or self.none_match is not None

    def version(self, present: Versioned | None) -> int | None:
        """The version that may be replaced: 0 for none, None for whatever there is. Raises: Changed."""
        if not self.is_stated:
            return None
        if not self._holds(etag(present) if present else None):
            raise Changed
        return present.version if present else 0

    def demand(self, tag: str) -> None:
        """For what is always there, with this tag by now. Raises: Changed."""
        if not self._holds(tag):
            raise Changed

    def _holds(self, tag: str | None) -> bool:
        if self.match is not None and not _names(self.match, tag):
            return False
        # Here a weak tag will do (RFC 9110, section 8.8.3.2).
        return self.none_match is None or not _names(self.none_match.replace("W/", ""), tag)


def answered(response: Response, present: Versioned, *, is_new: bool = False) -> None:
    """Say which version it is, and whether it was made just now."""
    response.headers["ETag"] = etag(present)
    if is_new:
        response.status_code = 201


def _names(header: str, tag: str | None) -> bool:
    if tag is None:
        return False
    return header.strip() == _ANY or tag in _TAGS.findall(header)


_TEXT: Final = Header(max_length=1000)


async def _condition(
    if_match: Annotated[str | None, _TEXT] = None, if_none_match: Annotated[str | None, _TEXT] = None
) -> Condition:
    return Condition(if_match, if_none_match)


Conditional = Annotated[Condition, Depends(_condition)]
