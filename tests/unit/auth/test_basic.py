"""The Basic scheme is read strictly."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.basic import MAX_HEADER, parse_basic

harmless = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)


def basic(text: str | bytes) -> str:
    return "Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@given(harmless.filter(lambda name: ":" not in name), harmless)
def test_what_a_client_encodes_is_read_back(username: str, password: str) -> None:
    assert parse_basic(basic(f"{username}:{password}")) == (username, password)


def test_the_password_begins_after_the_first_colon() -> None:
    assert parse_basic(basic("admin:a:b:")) == ("admin", "a:b:")


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "Basic "])
def test_the_scheme_knows_no_case_and_spaces_may_follow_it(scheme: str) -> None:
    assert parse_basic(basic("admin:x").replace("Basic", scheme)) == ("admin", "x")


@pytest.mark.parametrize("control", ["\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x85"])
@pytest.mark.parametrize("place", ["ad{}min:secret", "admin:sec{}ret"])
def test_control_characters_are_refused(control: str, place: str) -> None:
    assert parse_basic(basic(place.format(control))) is None


@pytest.mark.parametrize(
    "header",
    [
        "", "Basic", "Basic ", "Bearer YTpi", "BasicYTpi", "Basic YTp", "Basic YTpi=", "Basic YT pi", "Basic YTpi\n",
        "Basic Y-_i",
        "Basic YTpi, Basic YTpi", "Basic é", "Basic YTpiYx==", basic("no colon"),
        basic(b"admin:\xff"), basic(b"admin:\xed\xa0\x80"), basic(b"admin:\xc0\x80"),
    ],
)  # fmt: skip
def test_what_is_not_well_formed_is_nobody(header: str) -> None:
    assert parse_basic(header) is None


def test_a_header_is_bounded() -> None:
    most = (MAX_HEADER - len("Basic ")) // 4 * 3 - len("a:")
    assert parse_basic(basic("a:" + "x" * most)) is not None
    assert parse_basic(basic("a:" + "x" * (most + 3))) is None


@given(st.text(max_size=60))
def test_any_header_is_credentials_or_none(text: str) -> None:
    for header in (text, f"Basic {text}"):
        found = parse_basic(header)
        assert found is None or ":" not in found.username


def test_credentials_do_not_print_their_password() -> None:
    assert "hunter2" not in f"{parse_basic(basic('admin:hunter2'))!r}"
