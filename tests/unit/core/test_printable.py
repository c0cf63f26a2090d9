"""A stranger's text is shown, never obeyed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.core.printable import harmless, printable


@given(st.text(st.characters()) | st.text("\r\n\x1b\0\u202e\ud800a…"), st.integers(1, 40))
def test_whatever_comes_is_one_line_that_can_be_printed_and_kept(text: str, most: int) -> None:
    shown = printable(text, most)
    assert shown.isprintable()
    assert len(shown) <= most
    assert shown.encode() == shown.encode("utf-8", "strict")


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=40))
def test_what_can_be_seen_is_left_as_it_is(text: str) -> None:
    assert printable(text, 40) == text


def test_a_line_break_is_spelt_out_and_what_is_too_long_ends_in_an_ellipsis() -> None:
    assert printable("a\r\nb\x1b[2J", 40) == r"a\r\nb\x1b[2J"
    assert printable("abcdef", 4) == "abc…"


def test_a_name_that_a_terminal_would_obey_is_shown_harmless() -> None:
    assert harmless("red\x1b[31m") == "'red\\x1b[31m'"
    assert harmless("blobs/ab") == "blobs/ab"
