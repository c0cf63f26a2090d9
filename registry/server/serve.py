"""The one function that a command line calls."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from registry.server.sockets import Address, listen
from registry.server.supervisor import Supervisor
from registry.server.worker import Serving, work


def serve(serving: Serving, on_ready: Callable[[list[Address]], None] = lambda _: None) -> int:
    """Serve until SIGTERM or SIGINT; the status to leave with. `on_ready` learns the addresses when all workers serve.

    Raises: OSError when the address cannot be listened at or the certificate cannot be read (ssl.SSLError is one).
    With one worker, an application that does not start raises here: what its factory raised, or SystemExit.
    """
    if serving.tls_cert is not None:
        # Each worker loads it again; here it fails once, and before anybody is told that we serve.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(serving.tls_cert, serving.tls_key)
    sockets = listen(serving.host, serving.port, shares=serving.workers, backlog=serving.backlog)
    addresses = [bound.getsockname() for bound in sockets[0]]
    if serving.workers > 1:
        return Supervisor(serving, sockets, lambda: on_ready(addresses)).run()
    work(serving, 0, sockets[0], lambda: on_ready(addresses))
    return 0
