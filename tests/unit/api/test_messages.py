"""A request, read lazily; and how much of its body waits in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.api.bodies import ClientGone, Memory, pieces, read_whole
from registry.api.messages import Request
from registry.oci.errors import NameInvalid, SizeInvalid
from tests.unit.api.conftest import request

KIB, MIB = 1 << 10, 1 << 20


def with_body(*messages: dict[str, Any], **scope: Any) -> Request:
    left = [*messages, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    made = request(method="PUT")
    return Request({**made.scope, **scope}, receive, "", "")


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def collected(asked: Request, limit: int = 10) -> list[bytes]:
    return [b"".join(chunks) async for chunks in pieces(asked, limit)]


@pytest.mark.parametrize(
    ("query", "values"),
    [("", []), ("tag=a&tag=b", ["a", "b"]), ("tag=", [""]), ("tag=a%2Fb+c", ["a/b c"]), ("x=1&tag=%ff", ["\ufffd"])],
)
def test_a_parameter_has_all_its_values_in_order(query: str, values: list[str]) -> None:
    asked = request(query=query)
    assert asked.parameters("tag") == values
    assert asked.parameter("tag") == (values[0] if values else None)


@pytest.mark.parametrize(
    ("header", "length"), [("0", 0), ("17", 17), ("-1", None), ("x", None), ("1_0", None), ("", None)]
)
def test_a_length_is_a_number_or_none(header: str, length: int | None) -> None:
    assert request(content_length=header).content_length == length


def test_a_request_that_speaks_of_no_body_has_none_where_the_protocol_says_so() -> None:
    asked = request()
    assert asked.content_length == 0
    assert request(transfer_encoding="chunked").content_length is None
    assert Request({**asked.scope, "http_version": "2"}, asked.receive, "", "").content_length is None


def test_lines_of_one_header_are_one_list() -> None:
    scope = {**request().scope, "headers": [(b"if-match", b'"a"'), (b"host", b"x"), (b"if-match", b'"b"')]}
    asked = Request(scope, request().receive, "", "")
    assert (asked.header(b"if-match"), asked.header(b"host"), asked.header(b"range")) == ('"a", "b"', "x", None)


def test_a_name_is_parsed_when_it_is_asked_for() -> None:
    asked = Request(request().scope, request().receive, "NOT a name", "")
    assert asked.raw_name == "NOT a name"
    with pytest.raises(NameInvalid):
        assert asked.name


# Bodies


def test_a_body_comes_in_the_pieces_that_arrive_and_empty_ones_are_no_pieces() -> None:
    asked = with_body(part(b"one"), part(b""), part(b"two"), part(b"", more=False))
    assert asyncio.run(collected(asked)) == [b"one", b"two"]


def test_who_goes_away_in_the_middle_leaves_what_it_sent() -> None:
    got: list[bytes] = []

    async def read() -> None:
        async for chunks in pieces(with_body(part(b"one")), 10):
            got.extend(chunks)

    with pytest.raises(ClientGone):
        asyncio.run(read())
    assert got == [b"one"]


def test_our_own_server_gathers_pieces_of_the_size_that_we_ask_for() -> None:
    limits: list[int] = []
    gathered = [([b"one", b"two"], True), ([], True), ([b"three"], False)]

    async def gather(limit: int) -> tuple[list[bytes], bool]:
        limits.append(limit)
        return gathered[len(limits) - 1]

    asked = with_body(extensions={"entrepot.gather": {"receive": gather}})
    assert asyncio.run(collected(asked, 7)) == [b"onetwo", b"three"]
    assert limits == [7, 7, 7]


@given(st.binary(max_size=20), st.integers(0, 20), st.booleans())
def test_a_body_is_read_whole_up_to_its_limit_whole_or_byte_by_byte(body: bytes, limit: int, at_once: bool) -> None:
    parts = [body] if at_once else [bytes([each]) for each in body]
    asked = with_body(*(part(each) for each in parts), part(b"", more=False))
    if len(body) <= limit:
        assert asyncio.run(read_whole(asked, limit, SizeInvalid())) == body
    else:
        with pytest.raises(SizeInvalid):
            asyncio.run(read_whole(asked, limit, SizeInvalid()))


def test_what_announces_too_much_is_refused_before_a_byte_is_read() -> None:
    asked = with_body(headers=[(b"content-length", b"11")])
    with pytest.raises(SizeInvalid):
        asyncio.run(read_whole(asked, 10, SizeInvalid()))


# Memory


@given(st.integers(1, 1 << 32), st.integers(1, 100))
def test_all_pieces_together_fit_the_budget_as_far_as_pieces_can_shrink(budget: int, uploads: int) -> None:
    memory = Memory(budget)
    alone = memory.piece
    for _ in range(uploads):
        memory.__enter__()
    assert 64 * KIB <= memory.piece <= alone <= MIB
    # Each is held twice.
    assert memory.piece == 64 * KIB or 2 * uploads * memory.piece <= budget
    for _ in range(uploads):
        memory.__exit__()
    assert memory.piece == alone
