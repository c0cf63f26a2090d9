"""Each lock and each condition of design 3 is missed by a scene as soon as it is taken away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.properties.interleavings.mutants import DISORDERS, LOCK, MUTANTS, UNMISSED, Mutant, locking, without
from tests.properties.interleavings.scenes import SCENES
from tests.support.explorer import Stage, Violation, explore
from tests.support.postgres import ask, postgres_server


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with postgres_server().database() as url, closing(Stage(url)) as stage:
        yield stage


def test_every_statement_that_holds_rows_has_a_scene_that_misses_its_lock() -> None:
    assert {each.statement for each in MUTANTS if each.what == LOCK} | set(UNMISSED) == locking()


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_what_is_taken_away_is_missed(stage: Stage, mutant: Mutant) -> None:
    with without(mutant.statement, mutant.what), pytest.raises(Violation):
        explore(SCENES[mutant.scene], stage, mutant.preemptions)


@pytest.mark.parametrize("name", DISORDERS)
def test_steps_in_another_order_go_wrong(stage: Stage, name: str) -> None:
    disorder, scene = DISORDERS[name]
    with disorder(), pytest.raises(Violation):
        explore(SCENES[scene], stage, preemptions=1)


def test_without_the_lock_it_is_the_foreign_key_that_keeps_a_blob_that_is_being_linked() -> None:
    scene = SCENES["a mount, and the collector of the blob"]
    with postgres_server().database() as url, closing(Stage(url)) as stage, without("collecting._HOLD_BLOBS"):
        ask(url, "ALTER TABLE link DROP CONSTRAINT fk_link_blob_id")
        with pytest.raises(Violation, match="Miscount"):
            explore(scene, stage, preemptions=1)
