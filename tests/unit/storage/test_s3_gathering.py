"""Bytes that gather until they are a part: in memory or in a file, they are the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.oci.errors import Unavailable
from registry.storage.s3_gathering import Allowance, Gathering


@pytest.fixture(params=[0, 3, 8, 100], ids="{} bytes of memory".format)
def allowance(request: pytest.FixtureRequest) -> Allowance:
    return Allowance(request.param)


def test_what_gathers_is_had_in_its_order_however_little_memory_there_is(allowance: Allowance) -> None:
    gathering = Gathering(allowance, b"one ")
    gathering.add(b"two ")
    assert (gathering.content(), gathering.size) == (b"one two ", 8)
    gathering.add(b"three")
    assert gathering.take() == b"one two three"
    assert (gathering.content(), gathering.size) == (b"", 0)


def test_what_is_replaced_is_gone(allowance: Allowance) -> None:
    gathering = Gathering(allowance, b"one two three")
    gathering.replace(gathering.content()[:7])
    gathering.add(b" four")
    assert gathering.take() == b"one two four"


def test_memory_is_given_back_by_whoever_is_done() -> None:
    allowance = Allowance(8)
    taken, replaced, forgotten = (Gathering(allowance, b"8 bytes!") for _ in range(3))
    spilled = Gathering(allowance, b"some more bytes than that")
    taken.take()
    replaced.replace(b"")
    del forgotten
    spilled.clear()
    assert allowance.take(8)
    assert not allowance.take(1)


def test_after_a_file_comes_memory_again() -> None:
    allowance = Allowance(8)
    gathering = Gathering(allowance, b"more than 8 bytes")
    assert gathering.take() == b"more than 8 bytes"
    gathering.add(b"8 bytes!")
    assert not allowance.take(1)


def test_the_file_has_no_name(tmp_path: Path) -> None:
    gathering = Gathering(Allowance(4, tmp_path), b"5 bytes")
    assert gathering.content() == b"5 bytes"
    assert not list(tmp_path.iterdir())


def test_where_no_file_can_be_written_clients_are_asked_to_come_again(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        Gathering(Allowance(4, tmp_path / "nowhere"), b"5 bytes")
