"""Who a request came from and by what scheme, where proxies stand in between: what those of our own say of it.

    client ──▶ proxy ──▶ proxy ──▶ us      X-Forwarded-For: whatever the client made up, client, proxy
                                                                                         ◀── read from the right

The first that is not a proxy of ours is the client; what stands left of it is the client's own word. Where only
`Forwarded` (RFC 7239) is there, that is read the same way. A list in which something is no address where an address
counts tells nothing: then the request came from who sent it. So a proxy that is trusted has to set `X-Forwarded-For`
itself, or to take away a client's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# An address as either header writes it: IPv6 in brackets where a port follows, and in `Forwarded` always.
_NODE: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15}))(?::[0-9]{1,5})?|([0-9A-Fa-f:.]{2,45})")
# A parameter of RFC 7239, section 4, whose value is a token or quoted; in what counts here nothing is escaped.
_PARAMETER: Final = re.compile(r'\s*([A-Za-z-]+)=(?:"([^"\\]*)"|([^\s";,]*))\s*')
_SCHEMES: Final = ("http", "https")


class Hop(NamedTuple):
    """What one proxy says of the one before it; `address` is None where it says nothing that can be used."""

    address: _Address | None
    scheme: str | None = None


class Origin(NamedTuple):
    """Where a request came from; `scheme` is None where nobody said."""

    address: str
    scheme: str | None


@dataclass(frozen=True, slots=True)
class Proxies:
    """Those whose word is taken; all networks, of both kinds."""

    networks: tuple[Network, ...] = ()

    def trust(self, address: str) -> bool:
        """Whether it is one of them."""
        parsed = _parse(address)
        return parsed is not None and self._hold(parsed)

    def origin(self, peer: str, headers: Sequence[tuple[bytes, bytes]]) -> Origin:
        """Who sent a request that came from `peer`, which is one of them; names of headers are in lower case."""
        addresses, scheme = _values(headers, b"x-forwarded-for"), _scheme(_values(headers, b"x-forwarded-proto"))
        hops = _listed(addresses) if addresses else _forwarded(_values(headers, b"forwarded"))
        hop = self._client(hops)
        if hop is None or hop.address is None:
            return Origin(peer, scheme)
        return Origin(str(hop.address), scheme or hop.scheme)

    def _client(self, hops: Sequence[Hop]) -> Hop | None:
        """The last that is none of ours; the first of all if every one is."""
        for hop in reversed(hops):
            if hop.address is None or not self._hold(hop.address):
                return hop
        return hops[0] if hops else None

    def _hold(self, address: _Address) -> bool:
        return any(address in network for network in self.networks)


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """Lines of one name are one list (RFC 9110, section 5.3)."""
    return ",".join(value.decode("latin-1") for key, value in headers if key == name)


def _listed(text: str) -> list[Hop]:
    return [Hop(_node(each.strip())) for each in text.split(",") if each.strip()]


def _forwarded(text: str) -> list[Hop]:
    return [_element(each) for each in _outside_quotes(text, ",") if each.strip()]


def _element(text: str) -> Hop:
    """One `for=192.0.2.60;proto=http;by=203.0.113.43`."""
    told: dict[str, str] = {}
    for part in _outside_quotes(text, ";"):
        parameter = _PARAMETER.fullmatch(part)
        if parameter is None:
            return Hop(None)
        told[parameter[1].lower()] = parameter[2] or parameter[3] or ""
    return Hop(_node(told.get("for", "")), _scheme(told.get("proto", "")))


def _outside_quotes(text: str, separator: str) -> Iterator[str]:
    """Split where the separator is not quoted; a quote that is never closed goes to the end."""
    for part in re.finditer(rf'(?:"[^"]*(?:"|$)|[^"{separator}])+', text):
        yield part[0]


def _scheme(text: str) -> str | None:
    return text.lower() if text.lower() in _SCHEMES else None


def _node(text: str) -> _Address | None:
    node = _NODE.fullmatch(text)
    return None if node is None else _parse(node[1] or node[2] or node[3])


@lru_cache(1024)
def _parse(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A socket for both kinds shows IPv4 so.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
