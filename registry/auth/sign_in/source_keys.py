"""The keys of a source in the file of sources: how each is written, and what holds where it is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

LOCAL: Final = "local"
"""The source of accounts that lie in our own database; no other can be called so."""

_NAME: Final = re.compile(r"[a-z0-9-]{1,32}")
_PORTS: Final = {"ldap": 389, "ldaps": 636}
_LONGEST_WAIT: Final = 60


@dataclass(frozen=True, slots=True)
class Key:
    """`parse` takes a TOML value and raises ValueError; a key that is not `is_needed` and not written is `default`."""

    parse: Callable[[object], Any]
    default: Any = None
    is_needed: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Scheme, host and port of a URL."""

    scheme: str
    host: str
    port: int


def _text(value: object) -> str:
    if not isinstance(value, str):
        # The value itself is not named: it may be a secret that lost its quotes.
        raise ValueError(f"text was expected, in quotes, not a value of type {type(value).__name__}")  # noqa: TRY004 - wrong input, not a wrong call
    if not value.strip() or not value.isprintable():
        raise ValueError("text was expected, not nothing and nothing that cannot be printed")
    return value


def _name(value: object) -> str:
    text = _text(value)
    if not _NAME.fullmatch(text) or text == LOCAL:
        raise ValueError(f"1 to 32 of a-z, 0-9 and - make a name, and {LOCAL!r} is not free: {text[:80]!r}")
    return text


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"neither true nor false: {value!r}")  # noqa: TRY004 - wrong input, not a wrong call
    return value


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("a list was expected, in brackets")  # noqa: TRY004 - wrong input, not a wrong call
    return tuple(_text(each) for each in value)


def _scopes(value: object) -> tuple[str, ...]:
    scopes = _words(value)
    if "openid" not in scopes:
        raise ValueError("without openid nobody is told who it is")
    return scopes


def _seconds(value: object) -> int:
    if type(value) is not int or not 1 <= value <= _LONGEST_WAIT:
        raise ValueError(f"not 1 to {_LONGEST_WAIT} seconds: {value!r}")
    return value


def _path(value: object) -> Path:
    return Path(_text(value))


def _url(value: object, example: str, schemes: Mapping[str, int]) -> Address:
    text = _text(value)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"not a URL such as {example}") from None
    # It may hold a password, and an error is read by many.
    if parts.scheme not in schemes or not host or "@" in text or parts.query or parts.fragment:
        raise ValueError(f"not a URL such as {example}")
    return Address(parts.scheme, host, port or schemes[parts.scheme])


def _issuer(value: object) -> str:
    _url(value, "https://accounts.example.org", {"https": 443, "http": 80})
    return _text(value)


def _directory(value: object) -> Address:
    example = "ldaps://ldap.example.org"
    address = _url(value, example, _PORTS)
    if urlsplit(_text(value)).path.strip("/"):
        raise ValueError(f"not a URL such as {example}, which ends with its host")
    return address


def _filter(*holes: str) -> Callable[[object], str]:
    """An LDAP filter (RFC 4515) with one of the `holes` at least."""
    told = " or ".join(holes)

    def parse(value: object) -> str:
        text = _text(value)
        if not (text.startswith("(") and text.endswith(")") and text.count("(") == text.count(")")):
            raise ValueError(f"no filter in parentheses: {text[:80]!r}")
        if not any(hole in text for hole in holes):
            raise ValueError(f"without {told} it finds the same for everybody: {text[:80]!r}")
        return text

    return parse


_COMMON: Final = {
    "name": Key(_name, is_needed=True),
    "title": Key(_text),
    "required_groups": Key(_words, ()),
    "admin_groups": Key(_words, ()),
    "ca": Key(_path),
}
OIDC_KEYS: Final[Mapping[str, Key]] = MappingProxyType(
    _COMMON
    | {
        "issuer": Key(_issuer, is_needed=True),
        "client_id": Key(_text, is_needed=True),
        "client_secret": Key(_text),
        "client_secret_file": Key(_path),
        "scopes": Key(_scopes, ("openid", "profile", "email")),
        "username_claim": Key(_text, "preferred_username"),
        "groups_claim": Key(_text, "groups"),
        "allow_http": Key(_switch, default=False),
    }
)
LDAP_KEYS: Final[Mapping[str, Key]] = MappingProxyType(
    _COMMON
    | {
        "url": Key(_directory, is_needed=True),
        "start_tls": Key(_switch, default=False),
        "bind_dn": Key(_text),
        "bind_password": Key(_text),
        "bind_password_file": Key(_path),
        "user_base": Key(_text, is_needed=True),
        "user_filter": Key(_filter("{name}"), "(uid={name})"),
        "username_attribute": Key(_text, "uid"),
        "group_base": Key(_text),
        "group_filter": Key(_filter("{dn}", "{name}"), "(member={dn})"),
        "group_attribute": Key(_text, "cn"),
        "timeout": Key(_seconds, 10),
    }
)
