"""People who log in all the while, from a process of their own: each under another name, so that none is remembered."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from itertools import count
from threading import Thread

from tests.bench.children import FORK
from tests.bench.target import Target

_AT_ONCE = 8


@contextmanager
def logging_in(target: Target, each_second: int) -> Iterator[None]:
    """So many a second, if the registry keeps up, meanwhile."""
    process = FORK.Process(target=_log_in, args=(target, each_second), daemon=True)
    process.start()
    try:
        # They are at it before anything is measured.
        time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.join()


def _log_in(target: Target, each_second: int) -> None:
    began, numbers = time.monotonic(), count()

    def ask() -> None:
        for number in numbers:
            time.sleep(max(0.0, began + number / each_second - time.monotonic()))
            _ask(target, number)

    threads = [Thread(target=ask, daemon=True) for _ in range(_AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _ask(target: Target, number: int) -> None:
    claimed = b64encode(f"person{number}:guess{number}".encode()).decode()
    connection = target.connect()
    try:
        connection.request("GET", "/token?service=entrepot", headers={"Authorization": f"Basic {claimed}"})
        connection.getresponse().read()
    except (OSError, HTTPException):
        # A registry that is overrun by logins shows that in what is measured.
        pass
    finally:
        connection.close()
