"""Rules of retention carried out round after round, on every database: by whom, when, and how much at a time."""

from __future__ import annotations

from typing import Any

import pytest

from registry.core import retention_run
from registry.core.ports import Metadata
from registry.core.retention_run import LAST_RETAINED, NOTHING, Retained, Retainer
from registry.core.sweep import COLLECTOR_PAUSED
from registry.core.tenure import Tenure
from registry.oci.names import Tag
from tests.contracts.test_collecting import DAY
from tests.contracts.test_retention import HOUR, House


@pytest.fixture
def house(metadata: Metadata) -> House:
    return House(metadata)


def test_one_process_at_a_time_and_again_after_the_interval(house: House) -> None:
    house.push("a", "b")
    house.rule(last=1)
    fence = Tenure(house.metadata, "retention", "another").take()
    assert fence is not None
    assert house.run() == NOTHING
    Tenure(house.metadata, "retention", "another").release(fence)
    assert house.run() == Retained(1, 1)
    house.push("c")
    assert house.retainer("b", HOUR).run() == NOTHING
    assert house.retainer("b", HOUR).run_now() == Retained(1, 1)


def test_nothing_goes_while_the_collector_is_paused(house: House) -> None:
    house.push("a", "b")
    house.rule(last=1)
    house.metadata.transact(lambda tx: tx.settings.put(COLLECTOR_PAUSED, "a test"))
    assert house.run() == house.retainer().run_now() == NOTHING


def test_a_manifest_with_many_tags_loses_them_some_at_a_time_and_goes_with_the_last(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_run, "_TAGS", 2)
    (digest,) = house.push("old")
    for number in range(4):
        house.registry.push_image(b"old", tag=Tag(f"old-{number}"))
    house.push("young")
    house.rule(last=1)
    ended, end = list[int](), Retainer._end_tags

    def counted(retainer: Retainer, *told: Any, **how: Any) -> Retained:
        retained = end(retainer, *told, **how)
        ended.append(retained.tags)
        return retained

    monkeypatch.setattr(Retainer, "_end_tags", counted)
    assert house.run() == Retained(5, 1)
    assert ended == [2, 2, 1]
    assert not house.serves(digest)


def test_a_clock_that_was_ahead_puts_nothing_off(house: House) -> None:
    house.push("a", "b")
    house.rule(last=1)
    house.metadata.transact(lambda tx: tx.settings.put(LAST_RETAINED, (tx.now + 1000 * DAY).isoformat()))
    assert house.retainer("a", HOUR).run() == Retained(1, 1)
    assert house.retainer("a", HOUR).run() == NOTHING


def test_what_was_paused_is_not_put_off(house: House) -> None:
    house.push("a", "b")
    house.rule(last=1)
    house.metadata.transact(lambda tx: tx.settings.put(COLLECTOR_PAUSED, "a test"))
    assert house.retainer("a", HOUR).run_now() == NOTHING
    house.metadata.transact(lambda tx: tx.settings.remove(COLLECTOR_PAUSED))
    assert house.retainer("a", HOUR).run() == Retained(1, 1)
