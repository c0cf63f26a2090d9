"""`client.challenge`: what registries and their proxies write into `WWW-Authenticate`."""

from __future__ import annotations

import pytest

from registry.client.challenge import Challenge, parse_challenges

BEARER = Challenge(
    "bearer", {"realm": "https://auth.test/token", "service": "registry", "scope": "repository:a/b:pull"}
)
WRITTEN = 'Bearer realm="https://auth.test/token",service="registry",scope="repository:a/b:pull"'
BASIC = Challenge("basic", {"realm": "x"})


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (WRITTEN, [BEARER]),
        (WRITTEN.replace(",", " , ").replace("=", " = ", 1).replace("Bearer", "bEARER"), [BEARER]),
        ('Basic realm="x"', [BASIC]),
        ("Basic realm=x", [BASIC]),
        (f'{WRITTEN}, Basic realm="x"', [BEARER, BASIC]),
        (f"Basic realm=x, {WRITTEN}", [BASIC, BEARER]),
        (f"Negotiate, {WRITTEN}", [Challenge("negotiate", {}), BEARER]),
        ("Negotiate YWJj==, Basic realm=x", [Challenge("negotiate", {}), BASIC]),
        ('Basic realm="a, b=\\"c\\" \\\\"', [Challenge("basic", {"realm": 'a, b="c" \\'})]),
        ('Bearer scope="repository:a:pull,push registry:catalog:*"',
         [Challenge("bearer", {"scope": "repository:a:pull,push registry:catalog:*"})]),
        ('Basic REALM="x",realm="y"', [BASIC]),
        ('Basic realm=""', [Challenge("basic", {"realm": ""})]),
        ("", []),
        (" , ,", []),
    ],
)  # fmt: skip
def test_every_challenge_of_a_header_is_found(header: str, found: list[Challenge]) -> None:
    assert parse_challenges([header]) == found


def test_challenges_may_stand_in_several_headers() -> None:
    assert parse_challenges(["Basic realm=x", WRITTEN]) == [BASIC, BEARER]


@pytest.mark.parametrize("header", ['Basic realm="unclosed', "=", '"', "Basic \x00, ,;", "é", "Basic realm=x;y", "a=b"])
def test_garbage_is_passed_over(header: str) -> None:
    assert BEARER in parse_challenges([header, WRITTEN])


def test_a_header_without_end_is_read_in_no_time() -> None:
    hostile = ["Basic " + "a" * 10_000_000, 'Basic realm="' + "\\" * 10_000_000, "Basic a=" + "b," * 5_000_000]
    assert all(len(parse_challenges([each])) <= 16 << 10 for each in hostile)
