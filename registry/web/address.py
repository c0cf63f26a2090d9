"""Where clients find this registry, as they write it before a repository's name."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

EXAMPLE: Final = "registry.example.com"
MAX_HOST: Final = 255

_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = re.compile(rf"({_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]{{2,45}}\])(?::([0-9]{{1,5}}))?")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """A host as a reference may begin with, and whether clients must be told to accept that it speaks no TLS."""

    host: str
    insecure: bool = False

    @classmethod
    def of_url(cls, url: str) -> Self:
        """The address that an operator announces. Raises: ValueError."""
        parts = urlsplit(url)
        host = _reference_host(parts.scheme, parts.netloc)
        if host is None or parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise ValueError(f"not the address of a registry, such as https://{EXAMPLE}: {url}")
        return cls(host, _insecure(parts.scheme, host))

    @classmethod
    def of(cls, public_url: str | None, scheme: str, host: str) -> Self:
        """The address that is announced, or the one that a request was sent to."""
        return cls.of_url(public_url) if public_url else cls.of_request(scheme, host)

    @classmethod
    def of_request(cls, scheme: str, host: str) -> Self:
        """The address that a request was sent to; an example in place of a Host that is none."""
        found = _reference_host(scheme, host)
        return cls(EXAMPLE) if found is None else cls(found, _insecure(scheme, found))


def _reference_host(scheme: str, text: str) -> str | None:
    match = _HOST.fullmatch(text) if len(text) <= MAX_HOST else None
    if match is None or scheme not in _PORTS or not _is_port(match[2]) or not _is_address_if_bracketed(match[1]):
        return None
    # A reference's first part is a host only if it has a dot or a port, or is localhost: else it means a repository
    # of Docker Hub, and the image would be pushed there.
    bare = "." not in text and ":" not in text and text.lower() != "localhost"
    return f"{text}:{_PORTS[scheme]}".lower() if bare else text.lower()


def _is_port(text: str | None) -> bool:
    return text is None or 0 < int(text) < 1 << 16


def _is_address_if_bracketed(name: str) -> bool:
    return not name.startswith("[") or _ip(name) is not None


def _insecure(scheme: str, host: str) -> bool:
    """Whether clients refuse it until told otherwise: plain HTTP from anywhere but this machine."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    address = _ip(name)
    loopback = name == "localhost" or (address is not None and address.is_loopback)
    return scheme == "http" and not loopback


def _ip(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None
