"""Ranges of downloads and of upload chunks, against an oracle that takes the content's bytes one by one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.oci.ranges import Span, Unsatisfiable, parse_chunk, parse_range, received

positions = st.integers(0, 12)


def selected(first: str, last: str, size: int) -> list[int]:
    """The positions that `<first>-<last>` asks for, by the words of RFC 9110, 14.1.2, each position judged alone."""
    if not first:
        return [each for each in range(size) if size - each <= int(last)]
    return [each for each in range(size) if each >= int(first) and (not last or each <= int(last))]


@given(st.one_of(positions.map(str), st.just("")), st.one_of(positions.map(str), st.just("")), st.integers(0, 10))
@example("0", "", 0)
@example("", "0", 5)
@example("4", "4", 5)
@example("5", "", 5)
@example("5", "4", 10)
def test_a_range_is_the_bytes_that_it_names(first: str, last: str, size: int) -> None:
    header = f"bytes={first}-{last}"
    if not first and not last:
        assert parse_range(header, size) is None
        return
    expected = selected(first, last, size)
    if not expected:
        with pytest.raises(Unsatisfiable):
            parse_range(header, size)
        return
    span = parse_range(header, size)
    assert span is not None
    assert list(range(size))[span.start : span.start + span.length] == expected
    assert span.content_range(size) == f"bytes {expected[0]}-{expected[-1]}/{size}"


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=0-1,3-4", "lines=0-1", "bytes=+1-2"),
        *("bytes=--1", "bytes=1-2-3", "bytes=0x1-2", "bytes=\N{ARABIC-INDIC DIGIT ONE}-2", "bytes=1-" + "9" * 5000),
    ],
)
def test_what_is_not_one_range_is_ignored(header: str | None) -> None:
    assert parse_range(header, 10) is None


@given(st.text(max_size=20), st.integers(0, 100))
def test_no_header_does_harm(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        try:
            span = parse_range(text, size)
        except Unsatisfiable:
            continue
        assert span is None or 0 <= span.start < span.start + span.length <= size


@given(st.integers(0, 10**17), st.integers(1, 10**17), st.sampled_from(["{}-{}", "bytes {}-{}/*", "bytes {}-{}/99"]))
def test_a_chunk_names_its_first_and_last_byte(first: int, length: int, form: str) -> None:
    assert parse_chunk(form.format(first, first + length - 1)) == Span(first, length)


@pytest.mark.parametrize("header", ["", "5-4", "-1", "0--1", "1-", "a-b", "bytes=0-1", "bytes */5", "0-1, 2-3", "٣-٤"])
def test_what_is_no_chunk_is_told_apart(header: str) -> None:
    assert parse_chunk(header) is None


@pytest.mark.parametrize(("offset", "text"), [(0, "0-0"), (1, "0-0"), (2, "0-1"), (1 << 40, f"0-{(1 << 40) - 1}")])
def test_what_has_arrived_is_told_with_its_last_byte(offset: int, text: str) -> None:
    assert received(offset) == text
