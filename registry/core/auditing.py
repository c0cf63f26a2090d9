"""Reading the audit log: page by page, whole with its seals, and checked. Who may is decided before, by the routes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from registry.core.audit import EVERY_EVENT, Event, Mark, Seal, Wanted, kept_since, line_of, text_of
from registry.core.audit_chain import Flaw, Link, Verified, walk
from registry.core.ports import Metadata

MOST_SEALED: Final = 1000
"""Events of one seal: as many as anybody holds in memory at once."""
MOST_OF_A_PAGE: Final = 1000
_SEALS_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class AuditService:
    """The rules."""

    metadata: Metadata

    def page(self, after: str | None = None, limit: int = 100, wanted: Wanted = EVERY_EVENT) -> Sequence[Event]:
        """Newest first; `after` is the text of the `Mark` behind the last event that was seen. Raises: Unfit."""
        mark = None if after is None else Mark.parse(after)
        return self.metadata.observe(lambda tx: tx.events.page(wanted, mark, min(limit, MOST_OF_A_PAGE)))

    def export(self, wanted: Wanted = EVERY_EVENT) -> Iterator[bytes]:
        """Lines as `audit_chain` draws them; never more than one seal's events in memory.

        Of `wanted`, the span counts: from the first seal that holds an event of it to the last, all come, whole. An
        event that is sealed meanwhile may come a second time, under its seal.
        """
        done = after = 0
        while True:
            first, last = self._ends(wanted)
            for seal, lines in self._links(max(done, first - 1), last):
                yield text_of(seal.document()) + b"\n"
                yield from lines
            done = max(done, last)
            waiting = self._unsealed(wanted, after)
            if self._ends(wanted)[1] > done:
                # What was waiting for a seal has got one.
                continue
            if not waiting:
                return
            yield b'{"seal":null}\n'
            yield from map(line_of, waiting)
            after = waiting[-1].id

    def verify(self, keep: timedelta, noted: bytes | None = None) -> Verified:
        """Walk the whole chain. `keep` is how long events are kept, `noted` the hash of a seal that is to be in it."""
        keep_since = self.metadata.observe(lambda tx: kept_since(tx.now, keep))
        verified = walk(self._links(0, None), keep_since=keep_since, noted=noted)
        verified.unsealed, strays = self.metadata.observe(lambda tx: tx.events.loose())
        if verified.flaw is None and strays:
            last = self.metadata.observe(lambda tx: tx.seals.last())
            verified.flaw = Flaw(last.id if last else 0, f"{strays} events name a seal that is not there")
        return verified

    def _ends(self, wanted: Wanted) -> tuple[int, int]:
        """The ids of the first and the last seal that an export holds."""
        if wanted.since is None and wanted.until is None:
            last = self.metadata.observe(lambda tx: tx.seals.last())
            return 0, last.id if last else 0
        return self.metadata.observe(lambda tx: tx.events.seals_within(wanted)) or (0, 0)

    def _unsealed(self, wanted: Wanted, after: int) -> Sequence[Event]:
        return self.metadata.observe(lambda tx: tx.events.unsealed(wanted, after, MOST_SEALED))

    def _links(self, after: int, last: int | None) -> Iterator[Link]:
        """Seals behind the one of id `after`, up to `last`."""
        while seals := self._seals(after):
            for seal in seals:
                if last is not None and seal.id > last:
                    return
                yield self._link(seal.id)
            after = seals[-1].id

    def _seals(self, after: int) -> Sequence[Seal]:
        return self.metadata.observe(lambda tx: tx.seals.page(after, _SEALS_AT_ONCE))

    def _link(self, number: int) -> Link:
        # Events first: emptied in between, the seal says so and has them still.
        events = self.metadata.observe(lambda tx: tx.events.of(number, MOST_SEALED + 1))
        (seal,) = self.metadata.observe(lambda tx: tx.seals.page(number - 1, 1))
        return seal, [line_of(each) for each in events]
