"""The host that goes into the commands: the operator's, or the request's if it is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.web.address import EXAMPLE, Address


@pytest.mark.parametrize(
    ("scheme", "host", "address"),
    [
        ("http", "localhost:5000", Address("localhost:5000")),
        ("http", "localhost", Address("localhost")),
        ("http", "127.0.0.1:5000", Address("127.0.0.1:5000")),
        ("http", "127.9.9.9", Address("127.9.9.9")),
        ("http", "[::1]:5000", Address("[::1]:5000")),
        ("http", "[::1]", Address("[::1]")),
        ("http", "[2001:db8::1]:5000", Address("[2001:db8::1]:5000", insecure=True)),
        ("http", "10.0.0.1:5000", Address("10.0.0.1:5000", insecure=True)),
        ("http", "localhost.example.com", Address("localhost.example.com", insecure=True)),
        ("https", "Images.Example.com", Address("images.example.com")),
        ("https", "images.example.com:8443", Address("images.example.com:8443")),
    ],
)
def test_a_host_is_repeated_as_clients_write_it(scheme: str, host: str, address: Address) -> None:
    assert Address.of_request(scheme, host) == address
    assert Address.of_url(f"{scheme}://{host}") == address


@pytest.mark.parametrize(("scheme", "host"), [("https", "images:443"), ("http", "images:80")])
def test_a_bare_name_gets_its_port_or_docker_would_push_elsewhere(scheme: str, host: str) -> None:
    assert Address.of_request(scheme, "images").host == host


@pytest.mark.parametrize(
    "host",
    [
        "", "a b", "a/b",
        "<script>", 'a"', "a'b", "a;b", "a&b", "user@host", "host:", "host:0", "host:65536", "host:99999", "host:x",
        "host:1:2", "-a.example", "a-.example",
        "a..b", ".a", "[::1", "[zz]", "[::1]x", "[1.2.3]", "[::::]", "a\n", "a\0", "é.example",
        "a" * 64 + ".example", "a." * 127 + "aa", "$(id)", "`id`",
    ],
)  # fmt: skip
def test_a_host_that_is_none_is_replaced_by_an_example(host: str) -> None:
    assert Address.of_request("https", host) == Address(EXAMPLE)


@given(st.text(st.sampled_from("ab19.:-[]<>\"'&/@$` \n"), max_size=30))
def test_nothing_but_a_host_reaches_the_commands(host: str) -> None:
    assert not set(Address.of_request("https", host).host) & set("<>\"'&/@$` \n")


@pytest.mark.parametrize(
    "url",
    [
        "", "images.example.com", "images.example.com:5000",
        "ftp://images.example.com", "https://",
        "https://images.example.com/path",
        "https://images.example.com/?q", "https://images.example.com/#f",
        "https://user:pass@images.example.com", "https://a b",
        "javascript:alert(1)", "https://[::1", "https://host:x",
    ],
)  # fmt: skip
def test_an_announced_url_that_is_no_registry_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"not the address|Invalid IPv6"):
        Address.of_url(url)


def test_a_final_slash_of_the_announced_url_is_no_path() -> None:
    assert Address.of_url("https://images.example.com/") == Address("images.example.com")
