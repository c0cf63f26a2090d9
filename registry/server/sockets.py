"""Listening, once per worker.

Measured with two workers and eight connections opened at once: from one shared socket, whoever woke first took all of
them in four rounds of ten; with a socket each (SO_REUSEPORT), in one of a hundred. So each worker has its own. The
supervisor holds all of them: what connects while a worker is being replaced waits in the queue for its successor.
"""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from itertools import chain
from typing import Any

Address = tuple[Any, ...]  # as the socket module has them: host, port and for IPv6 two numbers more

_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def listen(host: str, port: int, *, shares: int, backlog: int) -> list[list[socket.socket]]:
    """For each share a socket for each address of `host`; port 0 is one free port for all. Raises: OSError.

    An address this machine does not have (`localhost` is often two) is passed over while there is another.
    """
    by_address: list[list[socket.socket]] = []
    absent: OSError | None = None
    with ExitStack() as undo:
        for family, address in _addresses(host, port):
            given = by_address[0][0].getsockname()[1] if by_address else port
            try:
                bound = _bind(family, (address[0], given, *address[2:]), shares)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
            else:
                by_address.append([undo.enter_context(one) for one in bound])
        if absent is not None and not by_address:
            raise absent
        for one in chain(*by_address):
            one.listen(backlog)
        undo.pop_all()
    return [list(share) for share in zip(*by_address, strict=True)]


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, Address]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _bind(family: socket.AddressFamily, address: Address, shares: int) -> list[socket.socket]:
    with ExitStack() as undo:
        sockets = [undo.enter_context(_socket(family)) for _ in range(shares)]
        # The first is bound alone, so that a port in use is an error even if its user would share; only then is it
        # opened to the others.
        sockets[0].bind(address)
        for one in sockets if shares > 1 else []:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for another in sockets[1:]:
            another.bind(sockets[0].getsockname())
        undo.pop_all()
    return sockets


def _socket(family: socket.AddressFamily) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made
