"""Walking the chain of seals, from the tables or from an export, and telling the first that does not hold.

An export is JSON lines, in the order of the chain, and is checked without the registry that it came from:

    {"seal":1,"previous":"00…","made":"…","events":2,"events_hash":"…","hash":"…","emptied":null}
    {"id":1,"at":"…",…}                     as many as the seal says, or none where it was emptied
    {"id":2,"at":"…",…}                     SHA-256 of these lines as they are is its events_hash (`core/audit`)
    {"seal":2,"previous":"<hash of 1>",…}
    …
    {"seal":null}                           what follows is not sealed yet
    {"id":9,"at":"…",…}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from registry.core.audit import FIRST, Seal, flaw_of

Link = tuple[Seal, Sequence[bytes]]
"""A seal with the lines of its events."""

_UNREADABLE: Final = (ArithmeticError, LookupError, TypeError, ValueError)
_BEGINS_A_SEAL: Final = b'{"seal":'


@dataclass(frozen=True, slots=True)
class Flaw:
    """Where the chain breaks: at this seal, or behind it where what follows cannot even be read."""

    seal: int
    reason: str


@dataclass(slots=True)
class Verified:
    """What was found: up to the flaw, where there is one. `head` is the hash of the last seal that holds.

    `unsealed` events are waiting for a seal; `has_noted` says whether the hash that somebody had noted is in the chain.
    """

    seals: int = 0
    events: int = 0
    emptied: int = 0
    unsealed: int = 0
    head: bytes = FIRST
    has_noted: bool = True
    flaw: Flaw | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.flaw is None and self.has_noted


def walk(
    chain: Iterable[Link], *, previous: bytes | None = FIRST, keep_since: datetime | None, noted: bytes | None = None
) -> Verified:
    """Check each seal and its events, until one does not hold. `previous` as in `flaw_of`."""
    verified, last = Verified(has_noted=noted in {None, FIRST}), 0
    try:
        for seal, lines in chain:
            last = seal.id
            flaw = flaw_of(seal, lines, previous=previous, keep_since=keep_since)
            if flaw is not None:
                verified.flaw = Flaw(seal.id, flaw)
                break
            previous = verified.head = seal.hash
            verified.seals += 1
            verified.events += len(lines)
            verified.emptied += not lines
            verified.has_noted |= seal.hash == noted
    except _UNREADABLE:
        verified.flaw = Flaw(last, "what follows it cannot be read")
    return verified


def links_of(export: Iterable[bytes]) -> Iterator[Link]:
    """The sealed part of an export, one seal at a time. Raises: what `walk` takes for unreadable."""
    seal: Seal | None = None
    lines: list[bytes] = []
    has_begun = False
    for line in export:
        if not line.startswith(_BEGINS_A_SEAL):
            if not has_begun:
                raise ValueError("no seal says what these events are")
            lines.append(line)
            continue
        has_begun = True
        if seal is not None:
            yield seal, lines
        document, lines = json.loads(line), []
        seal = None if document["seal"] is None else Seal.parse(document)
    if seal is not None:
        yield seal, lines
