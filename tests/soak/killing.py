"""Workers die by SIGKILL, one at a time, in the middle of whatever they do, and are started again."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from tests.soak.patience import Outages
from tests.support.server import RunningServer

_PAUSES: Final = (0.5, 4.0)


@contextmanager
def being_killed(servers: Sequence[RunningServer], outages: Outages, seed: int) -> Iterator[None]:
    """While this lasts; afterwards all of them run."""
    stop, chance = Event(), random.Random(seed)  # noqa: S311 - the same each time
    failures: list[BaseException] = []

    def kill() -> None:
        while not stop.wait(chance.uniform(*_PAUSES)):
            victim = chance.choice(servers)
            outages.begin()
            try:
                victim.kill()
                time.sleep(chance.uniform(0, 0.5))
                victim.start()
            except BaseException as failure:
                failures.append(failure)
                return
            outages.end()

    killer = Thread(target=kill, name="killer")
    killer.start()
    try:
        yield
    finally:
        stop.set()
        killer.join()
    if failures:
        raise failures[0]
