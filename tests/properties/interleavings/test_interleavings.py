"""What two or three transactions come to on real PostgreSQL connections, whatever the order of their statements.

Every schedule with at most PREEMPTIONS preemptions is played (1 by default; `PREEMPTIONS=2` takes minutes, and is for
who has changed a lock). What a violation tells is played again by `SCHEDULE=0001110 pytest -k 'name of the scene'`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.properties.interleavings.scenes import SCENES
from tests.support.explorer import Stage, explore, replay
from tests.support.postgres import postgres_server

PREEMPTIONS = int(os.environ.get("PREEMPTIONS", "1"))
SCHEDULE = os.environ.get("SCHEDULE")
pytestmark = pytest.mark.timeout(120 * 10**PREEMPTIONS)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with postgres_server().database() as url, closing(Stage(url)) as stage:
        yield stage


@pytest.mark.parametrize("name", SCENES)
def test_whatever_the_order_nothing_is_lost_left_or_counted_wrong(stage: Stage, name: str) -> None:
    if SCHEDULE is not None:
        replay(SCENES[name], stage, SCHEDULE)
    else:
        # Each may go first, and be preempted before any of its statements.
        assert explore(SCENES[name], stage, PREEMPTIONS) > len(SCENES[name].acts)
