"""Our own client against a scripted server, its answers cut in every way."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bench.flows import Same, conversation
from tests.bench.swarm import Conversation, converse
from tests.bench.target import Answer, Target, WrongAnswer

FOREVER = float("inf")
WHOLE, BYTE_BY_BYTE = 1 << 20, 1


@contextmanager
def serving(answer: bytes, piece: int = WHOLE) -> Iterator[Target]:
    """A server of one connection that gives this answer, in such pieces, to whatever ends with a blank line."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while connection.recv(4096).endswith(b"\r\n\r\n"):
                for start in range(0, len(answer), piece):
                    connection.sendall(answer[start : start + piece])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        host, port = listening.getsockname()
        yield Target("scripted", host, port)
        thread.join()


def twice(target: Target, method: str, heard: list[Answer]) -> Conversation:
    request = target.render(method, "/")
    heard += [(yield request), (yield request)]


@pytest.mark.parametrize("piece", [WHOLE, BYTE_BY_BYTE])
@pytest.mark.parametrize(
    ("answer", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 5),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 15),
        (b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n", 0),
    ],
)
def test_answers_are_heard_however_they_are_cut(answer: bytes, length: int, piece: int) -> None:
    heard: list[Answer] = []
    with serving(answer, piece) as target:
        tally = converse(target, [twice(target, "GET", heard)], FOREVER)

    assert tally.answers == 2
    assert [(one.status, one.length) for one in heard] == [(int(answer[9:12]), length)] * 2


def test_a_head_is_answered_without_the_body_it_announces() -> None:
    heard: list[Answer] = []
    with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n") as target:
        converse(target, [twice(target, "HEAD", heard)], FOREVER)

    assert [one.header("content-length") for one in heard] == ["1073741824"] * 2


def test_a_long_body_is_counted_and_not_kept() -> None:
    heard: list[Answer] = []
    with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000), 70_000) as target:
        tally = converse(target, [twice(target, "GET", heard)], FOREVER)

    assert [(len(one.body), one.length) for one in heard] == [(0, 300_000)] * 2
    assert tally.received == 600_000


def test_what_was_asked_is_waited_for_when_the_time_is_up() -> None:
    with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", BYTE_BY_BYTE) as target:
        tally = converse(target, [conversation(Same("GET", "/", 5), target)], 0)

    assert tally.answers == 1


def test_the_last_answer_is_looked_at_as_any_other() -> None:
    with (
        serving(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n") as target,
        pytest.raises(WrongAnswer, match="expected 200, got 404"),
    ):
        converse(target, [conversation(Same("GET", "/", 5), target)], 0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\noops", "expected 200, got 500 b'oops'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell", "4 bytes where 5 were due"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + bytes(70_001), "more bytes than announced"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", "closes its connections"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello", "unknown length"),
    ],
)
def test_a_wrong_answer_ends_the_run(answer: bytes, words: str) -> None:
    with serving(answer) as target, pytest.raises(WrongAnswer, match=words):
        converse(target, [conversation(Same("GET", "/", 5), target)], FOREVER)
