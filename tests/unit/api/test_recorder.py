"""The witness of a worker: soon written, together, and however the database feels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from typing import TypeVar

import pytest

from registry.api.recorder import Recorder
from registry.core.facts import Action, Outcome
from registry.core.ports import Transaction
from registry.core.witness import MOST
from registry.oci.errors import Unavailable
from tests.unit.core.house import House
from tests.unit.metadata.databases import quick_folder, rows
from tests.unit.server.site import eventually

T = TypeVar("T")
SOON = 0.02


@pytest.fixture
def house() -> Iterator[House]:
    with quick_folder() as folder, closing(House(folder)) as house:
        yield house


class Writer:
    """Counts transactions; the first `failures` of them are not to be had."""

    def __init__(self, house: House, failures: int = 0) -> None:
        self.house = house
        self.failures = failures
        self.transactions = 0

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        self.transactions += 1
        if self.transactions <= self.failures:
            failed: Future[T] = Future()
            failed.set_exception(Unavailable())
            return failed
        return self.house.metadata.submit(work)


def recorder(writer: Writer) -> Recorder:
    return Recorder(writer, writer.house.residents.anonymous, SOON)


def events(house: House) -> list[tuple[str, ...]]:
    return rows(house.database, "SELECT action, who, outcome, target, detail FROM event ORDER BY id")


async def written(house: House) -> None:
    """Until something is."""
    await asyncio.to_thread(eventually, lambda: events(house))


def test_a_flood_of_refusals_is_one_transaction(house: House) -> None:
    writer = Writer(house)

    async def run() -> None:
        told = recorder(writer)
        for number in range(500):
            told.tell(Action.SIGN_IN, house.residents.anonymous, Outcome.FAILED, target=f"user{number % 3}")
        await written(house)
        await told.close()

    asyncio.run(run())
    assert writer.transactions == 1
    assert events(house) == [
        ("sign-in", "(anonymous)", "failed", "user0", "167 times"),
        ("sign-in", "(anonymous)", "failed", "user1", "167 times"),
        ("sign-in", "(anonymous)", "failed", "user2", "166 times"),
    ]


def test_what_overflows_is_told_of_by_its_number(house: House) -> None:
    async def run() -> None:
        told = recorder(Writer(house))
        for number in range(MOST + 7):
            told.tell(Action.SIGN_IN, house.residents.anonymous, Outcome.FAILED, target=str(number))
        await told.close()

    asyncio.run(run())
    assert len(events(house)) == MOST + 1
    assert events(house)[-1] == ("event.lose", "(anonymous)", "failed", "", "7 more were not told")


def test_a_database_that_is_away_is_told_when_it_is_back(house: House) -> None:
    writer = Writer(house, failures=2)

    async def run() -> None:
        told = recorder(writer)
        told.tell(Action.PUSH_MANIFEST, house.admin, Outcome.DENIED, repository="team/app")
        await written(house)
        await told.close()

    asyncio.run(run())
    assert writer.transactions == 3
    assert events(house) == [("manifest.push", "admin", "denied", "", "")]


def test_what_waits_when_the_worker_stops_is_written(house: House) -> None:
    async def run() -> None:
        told = recorder(Writer(house))
        told.tell(Action.SIGN_IN, replace(house.admin, address="192.0.2.1", credential=1), Outcome.DONE)
        await told.close()

    asyncio.run(run())
    assert house.rows("SELECT address, credential_id FROM event") == [("192.0.2.1", 1)]


def test_no_control_character_of_a_stranger_s_reaches_a_row(house: House) -> None:
    async def run() -> None:
        told = recorder(Writer(house))
        told.tell(
            Action.SIGN_IN, house.residents.anonymous, Outcome.FAILED, target="eve\r\nroot\x1b[2J\0\ud800", detail="\n"
        )
        await told.close()

    asyncio.run(run())
    assert house.rows("SELECT target, detail FROM event") == [(r"eve\r\nroot\x1b[2J\x00\ud800", r"\n")]
