"""`client.origin`: where requests go, who may be told a password, and how far inside an address lies."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from registry.client.origin import Origin, may_have_password, openness, parse_registry


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("registry.test", "https://registry.test"),
        ("registry.test:5000/", "https://registry.test:5000"),
        ("https://registry.test:443/v2/", "https://registry.test"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("https://REGISTRY.test.", "https://registry.test"),
    ],
)
def test_a_registry_is_a_host_or_its_url(text: str, origin: str) -> None:
    assert str(parse_registry(text)) == origin


@pytest.mark.parametrize(
    "text",
    [
        "", "https://", "ftp://registry.test", "https://registry.test/team/app", "https://registry.test/?n=1",
        "https://user:secret@registry.test", "https://registry.test:99999", "https://[::1", "https://user@registry.test",
        "https://a\x1bc.test", "https://.",
    ],
)  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no URL|has more to it|does not belong"):
        parse_registry(text)


@pytest.mark.parametrize(
    ("registry", "realm", "may"),
    [
        ("https://registry.test", "https://registry.test/token", True),
        ("https://gitlab.corp.test:5050", "https://gitlab.corp.test/jwt/auth", True),
        ("https://registry-1.docker.io", "https://auth.docker.io/token", True),
        ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", True),
        ("https://docker.io", "https://auth.docker.io/token", True),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", True),
        ("https://registry.test", "https://evil.test/token", False),
        ("https://registry.corp.test", "https://evilcorp.test/token", False),
        ("https://registry.corp.test", "https://corp.test.evil.org/token", False),
        ("https://registry.test", "http://registry.test/token", False),
        ("https://registry-1.docker.io", "http://auth.docker.io/token", False),
        ("http://registry.corp.test", "http://auth.corp.test/token", False),
        ("https://10.0.0.1", "https://10.0.0.2/token", False),
        ("https://a.0.0.1", "https://9.0.0.1/token", False),
        ("https://localhost", "https://other/token", False),
    ],
)
def test_a_password_goes_to_the_registry_and_its_own_token_service(registry: str, realm: str, may: bool) -> None:
    assert may_have_password(Origin.of(realm), Origin.of(registry)) is may


def test_a_token_service_that_was_named_has_the_password_but_not_in_the_clear() -> None:
    registry, named = Origin.of("https://registry.corp.test"), ["sso.other.test"]
    assert may_have_password(Origin.of("https://sso.other.test/token"), registry, named)
    assert not may_have_password(Origin.of("http://sso.other.test/token"), registry, named)


def test_addresses_lie_ever_further_outside() -> None:
    ordered = ["169.254.169.254", "127.0.0.1", "10.1.2.3", "8.8.8.8"]
    assert [openness(each) for each in ordered] == [0, 1, 2, 3]
    assert [openness(f"::ffff:{each}") for each in ordered] == [0, 1, 2, 3]
    assert [openness(each) for each in ("fe80::1%eth0", "::", "::1", "fd00::1", "2001:4860:4860::8888")] == [
        0,
        0,
        1,
        2,
        3,
    ]


@pytest.mark.parametrize("inner", ["169.254.169.254", "127.0.0.1", "10.1.2.3", "8.8.8.8"])
def test_a_translated_address_lies_where_the_one_in_it_does(inner: str) -> None:
    number = int(ip_address(inner))
    for address in (f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}", f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1"):
        assert openness(address) == openness(inner)


def test_only_this_machine_is_loopback() -> None:
    urls = {
        "http://localhost": True,
        "http://127.8.8.8": True,
        "http://[::1]": True,
        "http://localhost.evil.test": False,
    }
    assert {url: Origin.of(url).is_loopback for url in urls} == urls
