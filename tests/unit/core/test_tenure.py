"""One process at a time: a lease that changes hands, and a number that tells who has it by now."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.core.tenure import Tenure, TenureLost
from tests.unit.core.conftest import Clock
from tests.unit.core.house import House

SPAN = timedelta(minutes=5)


def tenure(house: House, holder: str) -> Tenure:
    return Tenure(house.metadata, "sweep", holder, SPAN)


def setting(house: House, name: str) -> str:
    return house.metadata.transact(lambda tx: tx.settings.get_or_put(name, "absent"))


def test_who_comes_second_has_to_wait_for_the_end_of_the_lease(house: House, clock: Clock) -> None:
    first, second = tenure(house, "a").take(), tenure(house, "b").take()
    assert first is not None
    assert second is None
    clock.turn(SPAN)
    late = tenure(house, "b").take()
    assert late is not None
    assert late > first


def test_each_transaction_puts_off_the_end(house: House, clock: Clock) -> None:
    ours = tenure(house, "a")
    fence = ours.take()
    assert fence is not None
    for _ in range(3):
        clock.turn(SPAN - timedelta(seconds=1))
        ours.transact(fence, lambda _: None)
    assert tenure(house, "b").take() is None


def test_who_lost_the_lease_changes_nothing_any_more(house: House, clock: Clock) -> None:
    ours = tenure(house, "a")
    fence = ours.take()
    assert fence is not None
    clock.turn(SPAN)
    assert tenure(house, "b").take() is not None
    with pytest.raises(TenureLost):
        ours.transact(fence, lambda tx: tx.settings.get_or_put("too late", "kept"))
    assert setting(house, "too late") == "absent"


def test_a_lease_that_nobody_took_meanwhile_is_still_ours_though_it_ended(house: House, clock: Clock) -> None:
    ours = tenure(house, "a")
    fence = ours.take()
    assert fence is not None
    clock.turn(2 * SPAN)
    assert ours.transact(fence, lambda _: "done") == "done"
    assert tenure(house, "b").take() is None


def test_the_same_holder_takes_it_again_under_the_same_number(house: House) -> None:
    ours = tenure(house, "a")
    assert ours.take() == ours.take() is not None


def test_what_is_released_is_the_next_ones_at_once(house: House) -> None:
    ours = tenure(house, "a")
    fence = ours.take()
    assert fence is not None
    ours.release(fence)
    assert tenure(house, "b").take() == fence + 1
    # Released twice, by one who has it no more: the present holder keeps it.
    ours.release(fence)
    assert tenure(house, "c").take() is None


def test_of_two_sweepers_only_one_sweeps(house: House, clock: Clock) -> None:
    house.begin()
    clock.turn(house.expiry)
    other = tenure(house, "other")
    assert other.take() is not None
    assert house.sweeper.run().sessions == 0
    clock.turn(SPAN)
    assert house.sweeper.run().sessions == 1
