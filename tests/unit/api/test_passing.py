"""A body from a stream reaches the client whole, however often what is lent for it is cut, or not at all."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator, MutableMapping
from contextlib import closing
from typing import Any, BinaryIO, cast

import pytest

from registry.api.passing import pass_on
from registry.api.services import Threads
from registry.core.lending import Loan

CONTENT = bytes(range(256)) * 16 * 1024
RELAYING: dict[str, Any] = {"extensions": {"entrepot.relay": {}}}


class Lending(io.BytesIO):
    """Lends as long as `loans` has an entry: how many bytes come that way before it is cut."""

    def __init__(self, content: bytes, loans: list[int]) -> None:
        super().__init__(content)
        self.loans = loans
        self.asked = 0

    def lend(self) -> Loan | None:
        self.asked += 1
        if not self.loans:
            return None
        first = self.read(100)
        return Loan(first, 7, len(self.getvalue()) - self.tell(), 1.5)

    def take_back(self, taken: int) -> None:
        self.seek(taken, io.SEEK_CUR)


class Client:
    """Takes what is sent, and relays as the stream's `loans` say."""

    def __init__(self, stream: Lending) -> None:
        self.stream = stream
        self.got = b""
        self.relayed: list[int] = []
        self.is_over = False

    async def send(self, message: MutableMapping[str, Any]) -> None:
        assert not self.is_over
        if message["type"] == "entrepot.relay":
            assert (message["descriptor"], message["patience"]) == (7, 1.5)
            taken = min(self.stream.loans.pop(0), message["count"])
            at = self.stream.tell()
            self.got += self.stream.getvalue()[at : at + taken]
            self.relayed.append(taken)
            message["took"](taken)
        else:
            self.got += message["body"]
            self.is_over = not message.get("more_body", False)


@pytest.fixture
def in_thread() -> Iterator[Threads]:
    with closing(Threads(1)) as threads:
        yield threads


def passed(stream: Lending, count: int, in_thread: Threads, scope: dict[str, Any] = RELAYING) -> Client:
    client = Client(stream)
    asyncio.run(pass_on(cast("BinaryIO", stream), count, scope, client.send, in_thread))
    return client


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize("loans", [[1 << 30], [0, 1, 1 << 30], [2 << 20, 500_000, 0, 0]])
def test_what_is_cut_is_lent_again_and_the_rest_read(in_thread: Threads, loans: list[int], start: int) -> None:
    stream = Lending(CONTENT, loans)
    stream.seek(start)
    client = passed(stream, len(CONTENT) - start, in_thread)
    assert client.got == CONTENT[start:]
    assert client.is_over


def test_no_more_is_relayed_than_was_asked_for(in_thread: Threads) -> None:
    client = passed(Lending(CONTENT, [1 << 30]), 2 << 20, in_thread)
    assert client.got == CONTENT[: 2 << 20]
    assert client.relayed == [(2 << 20) - 100]


def test_a_stream_that_lends_nothing_is_asked_once(in_thread: Threads) -> None:
    stream = Lending(CONTENT, [])
    assert passed(stream, len(CONTENT), in_thread).got == CONTENT
    assert stream.asked == 1


@pytest.mark.parametrize(("count", "scope"), [(len(CONTENT), {}), (1000, RELAYING)])
def test_nothing_is_lent_where_it_cannot_be_relayed_or_is_not_worth_it(
    in_thread: Threads, count: int, scope: dict[str, Any]
) -> None:
    stream = Lending(CONTENT, [1 << 30])
    assert passed(stream, count, in_thread, scope).got == CONTENT[:count]
    assert stream.asked == 0


@pytest.mark.parametrize("loans", [[], [1 << 30]])
def test_a_stream_that_ends_early_ends_the_answer(in_thread: Threads, loans: list[int]) -> None:
    stream = Lending(CONTENT, loans)
    client = Client(stream)
    with pytest.raises(ConnectionError, match="the object ended early"):
        asyncio.run(pass_on(cast("BinaryIO", stream), len(CONTENT) + 1, RELAYING, client.send, in_thread))
    assert client.got == CONTENT
    assert not client.is_over


def test_an_empty_body_is_a_body(in_thread: Threads) -> None:
    client = passed(Lending(CONTENT, []), 0, in_thread)
    assert (client.got, client.is_over) == (b"", True)
