"""The connection that brings an object is lent to who passes the bytes on, and the stream goes on behind them."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from registry.core.facts import ObjectKey
from registry.core.lending import Lender, Loan
from registry.core.ports import ObjectLost
from registry.storage.s3 import S3Store
from registry.storage.s3_client import MIB
from registry.storage.s3_stream import S3Stream
from tests.support.receiving import put
from tests.support.s3 import S3Server, s3_server
from tests.support.s3_faults import Fault, FaultyProxy
from tests.support.tls import Certificate

__all__ = ["s3_server"]

CONTENT = random.Random(3).randbytes(2 * MIB + 321)  # noqa: S311 - content


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultyProxy]:
    with FaultyProxy(s3_server) as proxy:
        yield proxy


@pytest.fixture
def store(s3_server: S3Server, proxy: FaultyProxy) -> S3Store:
    return S3Store(s3_server.new_place(endpoint=proxy.url))


@pytest.fixture
def key(store: S3Store) -> ObjectKey:
    return put(store, CONTENT)


def opened(store: S3Store, key: ObjectKey, start: int = 0) -> S3Stream:
    return cast("S3Stream", store.open(key, start))


def lent(stream: S3Stream) -> Loan:
    loan = stream.lend()
    assert loan is not None
    return loan


def brought(loan: Loan, count: int) -> bytes:
    """Up to `count` bytes of the descriptor, fewer where it is cut."""
    pieces: list[bytes] = []
    with socket.socket(fileno=socket.dup(loan.descriptor)) as connection:
        connection.settimeout(loan.patience)
        while count and (piece := connection.recv(min(count, MIB))):
            pieces.append(piece)
            count -= len(piece)
    return b"".join(pieces)


def test_what_came_already_and_what_comes_by_the_descriptor_are_the_object(store: S3Store, key: ObjectKey) -> None:
    with opened(store, key) as stream:
        assert isinstance(stream, Lender)
        loan = lent(stream)
        assert loan.first
        assert len(loan.first) + loan.count == len(CONTENT)
        assert loan.first + brought(loan, loan.count) == CONTENT


@pytest.mark.parametrize("read", [1, 100_001])
@pytest.mark.parametrize("start", [0, 77])
def test_what_was_read_before_is_not_lent(store: S3Store, key: ObjectKey, start: int, read: int) -> None:
    with opened(store, key, start) as stream:
        before = stream.read(read)
        loan = lent(stream)
        assert before + loan.first + brought(loan, loan.count) == CONTENT[start:]


def test_to_read_at_the_descriptor_never_blocks(store: S3Store, key: ObjectKey) -> None:
    with opened(store, key) as stream:
        assert not os.get_blocking(lent(stream).descriptor)


@pytest.mark.parametrize("taken", [0, 1, MIB])
def test_after_a_loan_the_stream_goes_on_behind_what_was_taken(store: S3Store, key: ObjectKey, taken: int) -> None:
    with opened(store, key) as stream:
        loan = lent(stream)
        by_others = brought(loan, taken)
        stream.take_back(taken)
        assert stream.tell() == len(loan.first) + taken
        again = lent(stream)
        more = brought(again, 10)
        stream.take_back(10)
        assert loan.first + by_others + again.first + more + stream.read() == CONTENT


def test_a_connection_that_is_cut_is_taken_back_and_another_is_lent(
    store: S3Store, proxy: FaultyProxy, key: ObjectKey
) -> None:
    proxy.fail("GetObject", Fault.CUT_ANSWER)
    with opened(store, key) as stream:
        loan = lent(stream)
        half = loan.first + brought(loan, loan.count)
        assert len(half) == len(CONTENT) // 2
        stream.take_back(len(half) - len(loan.first))
        loan = lent(stream)
        assert half + loan.first + brought(loan, loan.count) == CONTENT


def test_at_the_end_there_is_nothing_to_lend(store: S3Store, key: ObjectKey) -> None:
    with opened(store, key) as stream:
        stream.read()
        assert stream.lend() is None
        stream.seek(len(CONTENT) - 5)
        loan = lent(stream)
        assert (loan.first, loan.count) == (CONTENT[-5:], 0)
        assert stream.read() == b""


def test_an_object_that_has_gone_meanwhile_is_lost(store: S3Store, key: ObjectKey) -> None:
    with opened(store, key) as stream:
        stream.take_back(len(brought(lent(stream), 10)))
        store.delete([key])
        with pytest.raises(ObjectLost):
            stream.lend()


def test_nobody_else_can_read_from_a_connection_with_tls(s3_server: S3Server, tmp_path: Path) -> None:
    certificate = Certificate.make(tmp_path)
    with FaultyProxy(s3_server, certificate) as proxy:
        store = S3Store(s3_server.new_place(endpoint=proxy.url, ca=certificate.authority))
        with opened(store, put(store, CONTENT)) as stream:
            assert stream.lend() is None
            assert stream.read() == CONTENT
