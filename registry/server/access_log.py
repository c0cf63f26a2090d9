"""Who asked for what, a JSON document a line.

    {"time":"2026-01-31T12:00:00.123Z","remote":"192.0.2.7:51234","method":"GET","path":"/v2/","status":200,"bytes":2,
     "ms":0.4, ... what the application has to say}

`status` is null when the client left before there was one, and `aborted` is true when it left before the end; `refused`
says why a request was not answered by the application. JSON escapes control characters, so nothing in a request can
forge a line.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
import time
from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring_ascii
from typing import NamedTuple

_FLUSH_AFTER = 0.2
_FLUSH_AT = 64 * 1024
# A pipe takes up to PIPE_BUF bytes in one piece; of longer writes, those of several workers may interleave.
_PIECE = 4096

_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode
_logger = logging.getLogger(__name__)


class Entry(NamedTuple):
    """One request and what became of it; `more` are the application's fields."""

    remote: str | None
    method: str | None
    path: str | None
    status: int | None
    sent: int
    seconds: float
    more: Mapping[str, object]

    def line(self, now: str) -> str:
        """The entry as JSON. Spelled out, because a general encoder takes three times as long."""
        told = f'"time":"{now}","remote":{_text(self.remote)},"method":{_text(self.method)},"path":{_text(self.path)}'
        counted = f'"status":{self.status or "null"},"bytes":{self.sent},"ms":{self.seconds * 1000:.1f}'
        return f"{{{told},{counted}{self._rest()}}}\n"

    def _rest(self) -> str:
        # No field of the application's can stand for one of ours: readers of JSON take the last of two.
        own = {name: value for name, value in self.more.items() if name not in _OURS}
        return "," + _encode(own)[1:-1] if own else ""


_OURS = frozenset({"time", "remote", "method", "path", "status", "bytes", "ms"})


def _text(value: str | None) -> str:
    return "null" if value is None else encode_basestring_ascii(value)


class AccessLog:
    """Lines for one file descriptor, kept for at most 200 ms or 64 KiB."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._lines: list[str] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._second = 0
        self._date = ""

    def add(self, entry: Entry) -> None:
        """Append a line."""
        line = entry.line(self._now())
        self._lines.append(line)
        self._size += len(line)
        if self._size >= _FLUSH_AT:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_AFTER, self.flush)

    def _now(self) -> str:
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            self._date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        return f"{self._date}.{int(now * 1000) % 1000:03d}Z"

    def flush(self) -> None:
        """Write what there is. A log that cannot be written stops no request; its loss is told once per flush."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines, self._size = self._lines, [], 0
        if not lines:
            return
        try:
            for piece in self._pieces(lines):
                _write(self._file, piece.encode())
        except OSError as error:
            _logger.error("access log: up to %d lines are lost: %s", len(lines), error)  # noqa: TRY400 - no traceback

    def _pieces(self, lines: list[str]) -> Iterator[str]:
        if not stat.S_ISFIFO(os.fstat(self._file).st_mode):
            yield "".join(lines)
            return
        piece = ""
        for line in lines:
            if piece and len(piece) + len(line) > _PIECE:
                yield piece
                piece = ""
            piece += line
        yield piece


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
