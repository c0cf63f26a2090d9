"""The audit log as anybody can check it: events as lines of text, and the seals that chain them.

    an event      {"id":7,"at":"2026-01-02T03:04:05.000006Z","action":"tag.set",…}⏎      its line, `line_of`
    events_hash   SHA-256 of the lines of its events, in the order of their ids
    hash          SHA-256 of   previous␣made␣events␣events_hash⏎                         hashes in hex, made like at

    64 zeros ◀─previous─ seal 1 ◀─previous─ seal 2 ◀─previous─ seal 3        events that no seal names yet
                           │ 3 events          │ emptied          │ 1000 events

An event that is changed, added to a seal, taken from it or given another id changes `events_hash`, and that the hash
of every later seal. When events have become old and are removed, their seal stays, and its hash is still checked. That
the chain's last seals were cut off is seen only by who noted a later hash elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from registry.core.facts import Outcome
from registry.core.patterns import Pattern
from registry.core.refusals import Unfit
from registry.oci.digest import Digest

FIRST: Final = bytes(32)
"""What the first seal has in place of a hash before it."""
_MARK: Final = "%Y%m%dT%H%M%S.%fZ"
_MARK_SHAPE: Final = re.compile(r"([0-9T.]{22}Z)-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Event:
    """One row. `who` is the principal's name as it was then; `seal` names the seal that holds it, if one does by now.

    Action and outcome are words: a later program may have written others than `Action` and `Outcome` know.
    """

    id: int
    at: datetime
    action: str
    outcome: str
    principal: int
    who: str
    credential: int | None
    address: str
    repository: str
    reference: str
    digest: Digest | None
    target: str
    detail: str
    seal: int | None = None

    def document(self) -> dict[str, Any]:
        """For programs; the order of its members is part of the format."""
        return {
            "id": self.id,
            "at": instant_text(self.at),
            "action": self.action,
            "outcome": self.outcome,
            "principal": self.principal,
            "who": self.who,
            "credential": self.credential,
            "address": self.address,
            "repository": self.repository,
            "reference": self.reference,
            "digest": None if self.digest is None else str(self.digest),
            "target": self.target,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Seal:
    """One row; `emptied` says when its events were removed as old ones."""

    id: int
    previous: bytes
    made: datetime
    events: int
    events_hash: bytes
    hash: bytes
    emptied: datetime | None = None

    @classmethod
    def over(cls, previous: bytes, made: datetime, lines: Sequence[bytes]) -> Self:
        """A new one, of no id yet, over the lines of its events."""
        events_hash = _hash_of(lines)
        return cls(0, previous, made, len(lines), events_hash, _chained(previous, made, len(lines), events_hash))

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Self:
        """The inverse of `document`. Raises: KeyError, TypeError, ValueError."""
        emptied = document["emptied"]
        return cls(
            document["seal"],
            bytes.fromhex(document["previous"]),
            datetime.fromisoformat(document["made"]),
            document["events"],
            bytes.fromhex(document["events_hash"]),
            bytes.fromhex(document["hash"]),
            None if emptied is None else datetime.fromisoformat(emptied),
        )

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "seal": self.id,
            "previous": self.previous.hex(),
            "made": instant_text(self.made),
            "events": self.events,
            "events_hash": self.events_hash.hex(),
            "hash": self.hash.hex(),
            "emptied": None if self.emptied is None else instant_text(self.emptied),
        }


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the log: right behind this event, as pages go, newest first."""

    at: datetime
    id: int

    @classmethod
    def behind(cls, event: Event) -> Self:
        """Where the page after the one that ends so begins."""
        return cls(event.at, event.id)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises: Unfit."""
        shape = _MARK_SHAPE.fullmatch(text)
        with suppress(ValueError):
            if shape is not None:
                return cls(datetime.strptime(shape[1], _MARK).replace(tzinfo=UTC), int(shape[2]))
        raise Unfit(after=text[:100], reason="no page of the audit log ends there")

    def __str__(self) -> str:
        return f"{self.at.strftime(_MARK)}-{self.id}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: all that is given must fit. `since` is included and `until` is not; names are whole ones."""

    since: datetime | None = None
    until: datetime | None = None
    who: str = ""
    action: str = ""
    repository: Pattern | None = None
    outcome: Outcome | None = None


EVERY_EVENT: Final = Wanted()


def instant_text(at: datetime) -> str:
    """To the microsecond, as the tables keep it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def line_of(event: Event) -> bytes:
    """The event's canonical form: JSON without spaces, in ASCII, and a line feed."""
    return text_of(event.document()) + b"\n"


def text_of(document: dict[str, Any]) -> bytes:
    """JSON without spaces, in ASCII, so that nothing in it can end a line."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def kept_since(now: datetime, keep: timedelta) -> datetime | None:
    """From when on every event is kept; None where nothing is ever removed, as a `keep` of 0 says."""
    return now - keep if keep else None


def flaw_of(seal: Seal, lines: Sequence[bytes], *, previous: bytes | None, keep_since: datetime | None) -> str | None:
    """What is wrong with a seal and the lines of the events that name it; None when it holds.

    `previous` is the hash that it should follow, None where that is not known. Its events may be gone if it was made
    before `keep_since`.
    """
    if previous is not None and seal.previous != previous:
        return "it does not follow the seal before it"
    if seal.hash != _chained(seal.previous, seal.made, seal.events, seal.events_hash):
        return "it is not what its hash says"
    if seal.emptied is not None and not lines:
        is_old = keep_since is not None and seal.made < keep_since
        return None if is_old else f"its {seal.events} events were removed before audit_keep had passed"
    if len(lines) != seal.events:
        # Whoever looks for too many stops at the first.
        found = len(lines) if len(lines) < seal.events else "more"
        return f"it sealed {seal.events} events, and {found} are there"
    return None if _hash_of(lines) == seal.events_hash else f"of its {seal.events} events, some are not as they were"


def _chained(previous: bytes, made: datetime, events: int, events_hash: bytes) -> bytes:
    line = f"{previous.hex()} {instant_text(made)} {events} {events_hash.hex()}\n"
    return hashlib.sha256(line.encode("ascii")).digest()


def _hash_of(lines: Iterable[bytes]) -> bytes:
    running = hashlib.sha256()
    for line in lines:
        running.update(line)
    return running.digest()
