"""Which of the things that need not survive a power cut do: enough choices to find whoever relies on one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tests.power_cut.disk import Bytes, Effect, Names

_FEW: Final = 4


def survivals(loose: Sequence[Effect]) -> Iterator[list[Effect]]:
    """All, none, names without bytes, bytes without names, each alone, all but each, and the last write torn.

    Of many, such as a checkpoint makes, all but the first and every other stand for one by one.
    """
    whole = list(loose)
    yield whole
    if not whole:
        return
    yield []
    if len(whole) > _FEW:
        yield from (whole[1:], whole[::2], whole[1::2])
    else:
        yield [effect for effect in whole if isinstance(effect, Names)]
        yield [effect for effect in whole if isinstance(effect, Bytes)]
        for each in whole:
            yield [each]
            yield [effect for effect in whole if effect is not each]
    last = whole[-1]
    for torn in last.torn() if isinstance(last, Bytes) else ():
        yield [*whole[:-1], torn]
