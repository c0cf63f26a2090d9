"""A blob on its way: when its connection is cut, it goes on where it was cut off, by `Range` where that is served."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from registry.client.answer import Answer
from registry.client.errors import LONGEST_REFUSAL, Malformed, Unanswered, refusal

# A connection that brings less than this before it is cut is one of the few that may.
_WORTH_IT: Final = 1 << 20
_MOST_CUTS: Final = 5
_PART: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/(?:([0-9]{1,18})|\*)")


def stream(ask: Callable[[int], Answer], pause: Callable[[int], None], what: str, size: int) -> Iterator[bytes]:
    """All `size` bytes; `ask` gets them from an offset on, and `pause` waits after so many cuts in vain.

    Their digest is for the reader to compute, who hashes what it keeps in any case.
    Raises: Unanswered, Untrusted, Malformed, Refused.
    """
    position, cuts = 0, 0
    while True:
        began = position
        with ask(position) as answer:
            try:
                for chunk in _rest(answer, position, what, size):
                    position += len(chunk)
                    yield chunk
            except Unanswered as error:
                cut = error
            else:
                cut = Unanswered(f"{what}: ends after {position} of {size} bytes")
        if position == size:
            return
        cuts = 0 if position - began >= _WORTH_IT else cuts + 1
        if cuts > _MOST_CUTS:
            raise Unanswered(f"{what}: {cut}")
        pause(max(cuts, 1))


def _rest(answer: Answer, position: int, what: str, size: int) -> Iterator[bytes]:
    """The bytes from `position` on, and never more than there may be."""
    skipped = _skipped(answer, position, what, size)
    left = size - position
    for chunk in answer.chunks():
        wanted = chunk[skipped:]
        skipped = max(0, skipped - len(chunk))
        left -= len(wanted)
        if left < 0:
            raise Malformed(f"{what}: has more than {size} bytes")
        if wanted:
            yield wanted


def _skipped(answer: Answer, position: int, what: str, size: int) -> int:
    """How many bytes come that we have already: all of them, where ranges are not served."""
    if answer.status == 206 and position:  # noqa: PLR2004  a part
        found = _PART.fullmatch(answer.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != position or found[2] not in {None, str(size)}:
            raise Malformed(f"{what}: another part came than was asked for")
        return 0
    if answer.status != 200:  # noqa: PLR2004  the whole
        raise refusal(what, answer.status, answer.beginning(LONGEST_REFUSAL))
    if answer.length not in {None, size}:
        raise Malformed(f"{what}: has {answer.length} bytes instead of {size}")
    return position
