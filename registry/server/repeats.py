"""The same bytes again: answers kept by the very requests that they answered, for as long as they hold.

A fleet that rolls out an image, or a robot that polls a tag, sends one request over and over. Such a request is not
even parsed: the bytes of its head are looked up, whoever answered is asked whether the answer still holds, and it goes
out again under today's date. Only an application that says so of a reply (`Reply.holds`) has it kept, and only from the
second asking on: most requests never come again.

Heads hold passwords and tokens. So what is kept is not the head but a mark of it, made with a key that this process
alone has.
"""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

LONGEST_HEAD: Final = 2 * 1024
LARGEST_RESPONSE: Final = 64 * 1024
_MOST_HEARD: Final = 8192
_MARK: Final = 16
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A response in two parts, between which the server's own fields go.

    `scope` is what the access log tells of it: no header of the request's.
    """

    status_line: bytes
    rest: bytes
    body: int
    status: int
    scope: Mapping[str, Any]
    holds: Callable[[], bool]


class Repeats:
    """One worker's, at most `budget` bytes of requests and responses; the least recently asked for leaves first."""

    def __init__(self, budget: int = 8 * 1024 * 1024) -> None:
        self._budget = budget
        self._size = 0
        self._key = secrets.token_bytes(32)
        self._heard: set[bytes] = set()
        self._kept: OrderedDict[bytes, Repeat] = OrderedDict()

    def find(self, asked: bytes) -> Repeat | None:
        """The answer to these bytes, if there was one and it still holds."""
        mark = self._mark(asked)
        repeat = self._kept.get(mark)
        if repeat is None:
            return None
        try:
            holds = repeat.holds()
        except Exception:
            # Whoever is asked anew finds out again, and can say so.
            _logger.exception("whether an answer holds could not be told")
            holds = False
        if not holds:
            self._drop(mark)
            return None
        self._kept.move_to_end(mark)
        return repeat

    def was_heard(self, asked: bytes) -> bool:
        """Whether these bytes came before; from now on they did."""
        mark = self._mark(asked)
        if mark in self._heard:
            return True
        if len(self._heard) >= _MOST_HEARD:
            self._heard.clear()
        self._heard.add(mark)
        return False

    def keep(self, asked: bytes, repeat: Repeat) -> None:
        """Remember it, unless it is too long to be worth it."""
        if len(repeat.rest) > LARGEST_RESPONSE:
            return
        mark = self._mark(asked)
        self._drop(mark)
        self._kept[mark] = repeat
        self._size += _size(repeat)
        while self._size > self._budget:
            self._drop(next(iter(self._kept)))

    def _mark(self, asked: bytes) -> bytes:
        return blake2b(asked, key=self._key, digest_size=_MARK).digest()

    def _drop(self, mark: bytes) -> None:
        repeat = self._kept.pop(mark, None)
        if repeat is not None:
            self._size -= _size(repeat)


def _size(repeat: Repeat) -> int:
    # What an entry costs beside its bytes is about a KiB.
    return len(repeat.rest) + 1024
