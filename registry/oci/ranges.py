"""Byte ranges: of a download (`Range`, RFC 9110 section 14) and of an upload (`Content-Range`, distribution-spec)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# Eighteen digits hold every size there is; more are no number we need to look at.
_BYTES: Final = re.compile(r"bytes=\s*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))\s*")
# The specification's `<first>-<last>`, and what clients make of it after HTTP's own Content-Range.
_CHUNK: Final = re.compile(r"(?:bytes )?([0-9]{1,18})-([0-9]{1,18})(?:/(?:[0-9]+|\*))?")


@dataclass(frozen=True, slots=True)
class Span:
    """`length` bytes from `start`."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        """The `Content-Range` of a 206 (RFC 9110, section 14.4)."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


class Unsatisfiable(Exception):
    """The range lies outside the content: 416."""


def parse_range(header: str | None, size: int) -> Span | None:
    """The part that `Range` asks for, or None for the whole.

    A range we do not understand, or a list of several, is ignored, as RFC 9110 section 14.2 lets a server do.
    Raises: Unsatisfiable.
    """
    found = _BYTES.fullmatch(header) if header else None
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        length = min(int(suffix), size)
        if length == 0:
            raise Unsatisfiable
        return Span(size - length, length)
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    # `500-0` is invalid by the letter of RFC 9110 and could be ignored; 416 tells the client that it is wrong.
    if start > end:
        raise Unsatisfiable
    return Span(start, end - start + 1)


def parse_chunk(header: str) -> Span | None:
    """`Content-Range: <first>-<last>` of a chunk, both inclusive; None when it has another form."""
    found = _CHUNK.fullmatch(header)
    if found is None:
        return None
    first, last = int(found[1]), int(found[2])
    return Span(first, last - first + 1) if last >= first else None


def received(offset: int) -> str:
    """`Range` of an upload session: what has arrived, `0-0` when nothing has (distribution-spec, end-13)."""
    return f"0-{max(offset - 1, 0)}"
