"""Parts of multipart uploads: their sizes, what is noted of them, and the lane in which they go up."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from threading import Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.storage.s3_client import MIB, S3Settings
from registry.storage.s3_multipart import Lane, Part, State, composite, part_size

A_PART = Part(1, 5, "e" * 32)


def test_parts_double_every_thousand_so_that_100_gb_take_fewer_than_half_of_the_numbers() -> None:
    sizes = [part_size(number, 8 * MIB) for number in range(1, 10_001)]
    assert (sizes[0], sizes[998], sizes[999], sizes[1999]) == (8 * MIB, 8 * MIB, 16 * MIB, 32 * MIB)
    reached = itertools.accumulate(sizes)
    assert next(number for number, total in enumerate(reached, 1) if total >= 100 * 10**9) < 5_000
    assert max(sizes) == 128 * MIB


def test_the_first_size_is_kept_where_it_is_larger_than_any_we_would_grow_to() -> None:
    assert part_size(9_999, 512 * MIB) == 512 * MIB


@given(
    upload=st.none() | st.text(max_size=20),
    parts=st.lists(st.builds(Part, st.integers(1, 10_000), st.integers(0), st.text(max_size=40)), max_size=4),
    tail=st.none() | st.tuples(st.text(max_size=30), st.integers(0)),
)
def test_a_state_is_read_as_it_was_written(upload: str | None, parts: list[Part], tail: tuple[str, int] | None) -> None:
    state = State(upload, tuple(parts), tail)
    assert State.parse(str(state)) == state


def test_an_empty_state_is_that_of_the_beginning() -> None:
    assert State.parse("") == State()
    assert State.parse(str(State())) == State()


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "null", "7", "{}", '{"upload":"u","parts":[]}', '{"upload":"u","parts":[[1]],"tail":null}'],
)
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        State.parse(text)


def test_an_offset_is_that_of_all_parts_and_the_tail() -> None:
    assert State("u", (A_PART, Part(7, 20, "e")), ("uploads/x", 3)).offset == 28


def test_entity_tags_that_are_no_sums_make_none() -> None:
    assert composite(["not-hexadecimal", "e" * 32]) is None


def test_a_key_of_the_store_is_told_to_nobody() -> None:
    assert "hush" not in repr(S3Settings("bucket", access_key="a", secret_key="hush"))


def test_each_new_object_is_asked_to_be_encrypted_as_was_set() -> None:
    assert S3Settings("b").encryption == {}
    assert S3Settings("b", sse="AES256").encryption == {"ServerSideEncryption": "AES256"}
    assert S3Settings("b", sse="aws:kms", sse_key="k").encryption == {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "k",
    }


def test_parts_that_no_store_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="smaller than S3 takes"):
        S3Settings("b", part_size=5 * MIB - 1)


class Departures:
    """Parts that are on their way until told to arrive, in the order in which they left."""

    def __init__(self) -> None:
        self.left: list[int] = []
        self.arrive = [Event() for _ in range(10)]

    def part(self, number: int) -> Callable[[], Callable[[], Part] | None]:
        def fly() -> Part:
            self.arrive[number].wait()
            return A_PART

        def depart() -> Callable[[], Part]:
            self.left.append(number)
            return fly

        return depart


def test_a_part_waits_for_room_and_small_ones_do_not_pass_it_by() -> None:
    lane, departures = Lane(2, 10), Departures()
    lane.submit(10, departures.part(0))
    lane.submit(10, departures.part(1))
    large = Thread(target=lane.submit, args=(20, departures.part(2)))
    large.start()
    while not lane._turn.locked():
        time.sleep(0.001)
    small = Thread(target=lane.submit, args=(1, departures.part(3)))
    small.start()
    departures.arrive[0].set()
    departures.arrive[1].set()
    large.join()
    assert departures.left == [0, 1, 2]
    departures.arrive[2].set()
    departures.arrive[3].set()
    small.join()
    lane.close()
    assert departures.left == [0, 1, 2, 3]


def test_a_part_larger_than_the_lane_goes_alone() -> None:
    lane, departures = Lane(2, 10), Departures()
    departures.arrive[0].set()
    flight = lane.submit(1000, departures.part(0))
    assert flight is not None
    assert flight.result() == A_PART
    lane.close()


def test_a_part_that_does_not_leave_takes_no_room() -> None:
    def failing() -> None:
        raise ConnectionError("the database is gone")

    lane, departures = Lane(1, 10), Departures()
    departures.arrive[0].set()
    for _ in range(3):
        assert lane.submit(10, lambda: None) is None
        with pytest.raises(ConnectionError):
            lane.submit(10, failing)
    assert lane.submit(10, departures.part(0)) is not None
    lane.close()
