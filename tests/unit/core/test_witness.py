"""What is seen outside of transactions: counted, bounded, and never lost without a word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.core.facts import Action, Caller, Outcome
from registry.core.witness import MOST, Sight, Sights

ALICE = Caller(7, "alice", address="192.0.2.7")


def refused(target: str = "") -> Sight:
    return Sight(Action.PUSH_BLOB, Outcome.DENIED, ALICE, target=target)


def signed_in(by: Caller = ALICE) -> Sight:
    return Sight(Action.SIGN_IN, Outcome.DONE, by)


def seen(sights: Sights) -> list[tuple[str, float, int]]:
    return [(each.sight.target, each.first, each.times) for each in sights.take()[0]]


def test_the_same_again_is_counted_from_its_first_instant() -> None:
    sights = Sights()
    for now, target in enumerate(["a", "b", "a", "a"]):
        sights.add(refused(target), float(now))
    assert seen(sights) == [("a", 0.0, 3), ("b", 1.0, 1)]
    assert seen(sights) == []


def test_beyond_a_bound_it_is_told_how_many_there_were() -> None:
    sights = Sights()
    for number in range(MOST + 5):
        sights.add(refused(str(number)), 0.0)
    sights.add(refused("0"), 1.0)
    taken, untold = sights.take()
    assert (len(taken), untold) == (MOST, 5)
    assert taken[0].times == 2


def test_a_sign_in_is_told_of_once_an_hour_for_each_caller_and_address() -> None:
    sights, elsewhere = Sights(), Caller(7, "alice", address="198.51.100.1")
    told = []
    for now, by in [(0.0, ALICE), (1.0, ALICE), (2.0, elsewhere), (3599.0, ALICE), (3600.0, ALICE), (3601.0, ALICE)]:
        sights.add(signed_in(by), now)
        told.append(len(sights.take()[0]))
    assert told == [1, 0, 1, 0, 1, 0]


def test_what_could_not_be_written_goes_first_the_next_time() -> None:
    sights = Sights()
    sights.add(refused("a"), 0.0)
    taken, untold = sights.take()
    sights.add(refused("b"), 1.0)
    sights.add(refused("a"), 2.0)
    sights.give_back(taken, untold)
    assert seen(sights) == [("a", 0.0, 2), ("b", 1.0, 1)]


@given(st.lists(st.one_of(st.integers(0, 2 * MOST).map(str), st.just("fails")), max_size=60), st.integers(0, 600))
def test_nothing_is_lost_without_being_counted(steps: list[str], flood: int) -> None:
    sights, told, untold = Sights(), 0, 0
    for step in [*(str(each) for each in range(flood)), *steps]:
        if step == "fails":
            sights.give_back(*sights.take())
        else:
            sights.add(refused(step), 0.0)
    taken, more = sights.take()
    told += sum(each.times for each in taken)
    untold += more
    assert told + untold == flood + sum(each != "fails" for each in steps)
