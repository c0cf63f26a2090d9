"""Sockets, and what each must be before a request goes over it: vouched for by TLS, to an address we go to."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from registry.client.errors import Untrusted
from registry.client.origin import Origin, openness

Check = Callable[[Origin, str], None]


class Connections:
    """Kept open per origin, and no more than so many to each; whoever wants one more waits."""

    def __init__(self, home: Origin, most: int, timeout: Timeout, ca: Path | None) -> None:
        """`ca` vouches for `home` in place of whom the machine trusts, and for others beside them.

        Raises: OSError, SSLError.
        """
        self._home = home
        self._most = most
        self._timeout = timeout
        self._ca = ca
        # Read now, so that one that is none is told before anything is asked.
        self._own = None if ca is None else ssl.create_default_context(cafile=str(ca))
        self._common: ssl.SSLContext | None = None
        self._lock = Lock()
        self._pools: dict[Origin, HTTPConnectionPool] = {}
        self._inside = 0

    def to(self, origin: Origin) -> HTTPConnectionPool:
        """Those to one origin."""
        with self._lock:
            pool = self._pools.get(origin)
            if pool is None:
                pool = self._pools[origin] = self._pool(origin)
            return pool

    def close(self) -> None:
        """All that nobody reads from."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()

    def _pool(self, origin: Origin) -> HTTPConnectionPool:
        if origin.scheme == "http":
            plain = HTTPConnectionPool(origin.host, origin.port, timeout=self._timeout, maxsize=self._most, block=True)
            plain.ConnectionCls = _plain(origin, self._check)
            return plain
        trust = self._trust(origin)
        secure = HTTPSConnectionPool(
            origin.host, origin.port, timeout=self._timeout, maxsize=self._most, block=True, ssl_context=trust
        )
        secure.ConnectionCls = _secure(origin, self._check)
        return secure

    def _trust(self, origin: Origin) -> ssl.SSLContext:
        """A company's registry may keep its blobs with somebody whom all the world trusts, or next door."""
        if self._own is not None and origin.host == self._home.host:
            return self._own
        if self._common is None:
            # Only now: reading whom the machine trusts takes its time.
            self._common = ssl.create_default_context()
            if self._ca is not None:
                self._common.load_verify_locations(self._ca)
        return self._common

    def _check(self, origin: Origin, address: str) -> None:
        """After the name was resolved, by the socket itself: a name may mean another address each time."""
        found = openness(address)
        if origin.host == self._home.host:
            # Given by whoever uses us, wherever that is.
            self._inside = found
        elif found < self._inside:
            raise Untrusted(f"{self._home} leads to {origin.authority}, which is {address}, further inside than itself")


def _plain(origin: Origin, check: Check) -> type[HTTPConnection]:
    class Checked(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _checked(super()._new_conn(), origin, check)

    return Checked


def _secure(origin: Origin, check: Check) -> type[HTTPSConnection]:
    class Checked(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _checked(super()._new_conn(), origin, check)

    return Checked


def _checked(connected: socket.socket, origin: Origin, check: Check) -> socket.socket:
    try:
        check(origin, connected.getpeername()[0])
    except BaseException:
        connected.close()
        raise
    return connected
