"""Where requests go, and who may be told a password there: decisions about hosts and addresses, nothing else.

A password belongs to the registry it was given for. Registries delegate it to a token service, whose address (realm)
they name themselves; so these get it as well, and nobody else does:

- the registry's own host, on any port: `registry.example.org:5050` → `registry.example.org/token`;
- a host of the same domain, over TLS: `registry-1.docker.io` → `auth.docker.io`, `registry.gitlab.com` → `gitlab.com`;
- a host that whoever gave the password has named.

A redirect never takes it along. And whoever redirects us may not lead us further inside than it is itself: a registry
on the internet has no business with addresses of our own network, and nobody has with link-local ones.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, Self
from urllib.parse import urlsplit

_PORTS: Final = {"https": 443, "http": 80}
# A parent of a host is a domain of somebody when it has a name below the top level.
_LEAST_LABELS: Final = 3
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port (RFC 6454): what a connection is made to."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises: ValueError, its message in our words."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            raise ValueError(f"{url[:200]!a} is no URL") from None
        # A host is named in messages, which a terminal may obey.
        if parts.scheme not in _PORTS or not host or not host.isprintable():
            raise ValueError(f"{url[:200]!a} is no URL of http or https")
        return cls(parts.scheme, host, port or _PORTS[parts.scheme])

    @property
    def is_loopback(self) -> bool:
        """This machine, by its usual names."""
        return is_loopback(self.host)

    @property
    def domain(self) -> str:
        """What its neighbours' names end with; for an address or a name too short to have any, the host itself."""
        labels = self.host.split(".")
        if _is_address(self.host) or len(labels) < _LEAST_LABELS:
            return self.host
        return ".".join(labels[1:])

    @property
    def authority(self) -> str:
        """As in a URL, the usual port left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def is_loopback(host: str) -> bool:
    """Whether what is said to `host` stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_registry(text: str) -> Origin:
    """What people write for a registry, https where they write no scheme. Raises: ValueError."""
    if "@" in text:
        # Before anything repeats what was written.
        raise ValueError("a password does not belong into a URL")
    origin = Origin.of(text if "://" in text else f"https://{text}")
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if parts.path.rstrip("/") not in {"", "/v2"} or parts.query or parts.fragment:
        raise ValueError(f"{text[:200]!a} has more to it than a registry's host")
    return origin


def may_have_password(realm: Origin, registry: Origin, named: Collection[str] = ()) -> bool:
    """Whether a token service that the registry names may be told the password that was given for the registry."""
    if realm.scheme != "https" and registry.scheme == "https":
        return False
    if realm.host == registry.host or realm.host in named:
        return True
    domain = registry.domain
    if realm.scheme != "https" or _is_address(realm.host):
        return False
    return realm.host == domain or realm.host.endswith(f".{domain}")


def openness(address: str) -> int:
    """How far outside an address lies: link-local 0, this machine 1, some inner network 2, the internet 3."""
    found = _meant(ip_address(address.partition("%")[0]))
    if found.is_link_local or found.is_unspecified:
        return 0
    if found.is_loopback:
        return 1
    return 3 if found.is_global else 2


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that one of IPv6 leads to: mapped, by a translator (RFC 6052) or by 6to4; else itself."""
    if not isinstance(address, IPv6Address):
        return address
    translated = IPv4Address(int(address) & 0xFFFF_FFFF) if address in _TRANSLATED else None
    return address.ipv4_mapped or address.sixtofour or translated or address


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
