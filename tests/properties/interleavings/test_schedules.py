"""The orders that the explorer plays: each once, none left out within its bound."""

from __future__ import annotations

from math import comb

import pytest

from tests.support.schedules import Schedules


def played(schedules: Schedules, *lengths: int) -> list[str]:
    """All schedules of actors that have so many steps each, and never wait."""
    found = []
    while schedules.has_another():
        left, turns = list(lengths), ""
        while any(left):
            ready = [number for number, steps in enumerate(left) if steps]
            turn = schedules.turn(ready, may_matter=True)
            left[turn] -= 1
            turns += str(turn)
        found.append(turns)
    return found


@pytest.mark.parametrize("lengths", [(1, 1), (3, 2), (4, 4)])
def test_without_a_bound_every_order_is_played_once(lengths: tuple[int, int]) -> None:
    orders = played(Schedules(preemptions=99), *lengths)
    assert len(orders) == len(set(orders)) == comb(sum(lengths), lengths[0])


def test_three_actors_meet_in_every_order() -> None:
    orders = played(Schedules(preemptions=99), 2, 2, 2)
    assert len(orders) == len(set(orders)) == 90


def test_of_two_who_do_the_same_one_begins() -> None:
    orders = played(Schedules(preemptions=99, twins={1: 0}), 3, 3)
    assert len(orders) == len(set(orders)) == comb(6, 3) / 2
    assert {each[0] for each in orders} == {"0"}


def test_a_third_begins_when_it_likes() -> None:
    orders = played(Schedules(preemptions=99, twins={2: 0}), 2, 2, 2)
    assert len(orders) == len(set(orders)) == 90 / 2
    assert {each[0] for each in orders} == {"0", "1"}


def test_without_preemptions_one_goes_after_the_other() -> None:
    assert sorted(played(Schedules(preemptions=0), 3, 3)) == ["000111", "111000"]


def test_one_preemption_puts_each_once_inside_the_other() -> None:
    orders = played(Schedules(preemptions=1), 3, 2)
    assert sorted(orders) == ["00011", "00110", "01100", "10001", "11000"]


def test_where_a_preemption_cannot_matter_there_is_none() -> None:
    schedules = Schedules(preemptions=9)
    found = 0
    while schedules.has_another():
        for _ in range(5):
            schedules.turn([0, 1], may_matter=False)
        found += 1
    assert found == 2
