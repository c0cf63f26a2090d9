"""A coroutine begun before there is a task for it: most lookups never wait, and need none.

begin(work)  ──▶  Done(result)       it came to its end without waiting
             └─▶  Begun              it waits; whoever awaits this carries it on, in a task of its own
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The coroutine's result."""

    result: T


class Begun(Generic[T]):
    """A coroutine that has stopped at `waits_for`; to be awaited once."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, T], waits_for: object) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, T]:
        """Be the coroutine from here on: pass on what it waits for, and what comes of that."""
        waits_for = self._waits_for
        try:
            while True:
                try:
                    sent = yield waits_for
                except BaseException as error:
                    # The coroutine's to handle, cancellation included.
                    waits_for = self._coroutine.throw(error)
                else:
                    waits_for = self._coroutine.send(sent)
        except StopIteration as end:
            return cast("T", end.value)


def begin(coroutine: Coroutine[Any, Any, T]) -> Done[T] | Begun[T]:
    """Run it until it waits. Raises: what it raises. No task is current in that part of it (no timeouts there)."""
    try:
        waits_for = coroutine.send(None)
    except StopIteration as end:
        return Done(end.value)
    return Begun(coroutine, waits_for)
