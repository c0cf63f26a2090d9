"""Requests at a pace that leaves the registry idle now and then, and how long the slowest of a hundred take."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from http.client import HTTPResponse

from tests.bench.children import Ready, in_children
from tests.bench.flows import Flow
from tests.bench.load import Sample
from tests.bench.target import PATIENCE, Answer, Target

EACH_SECOND = 25
"""Requests of one connection."""
_SLOWEST = 0.99


def paced(target: Target, flow: Flow, connections: int, seconds: int) -> Sample:
    """Its rate is 1 / p99. Raises: WrongAnswer."""

    def one(ready: Ready) -> list[float]:
        return list(_timed(target, flow, seconds, ready))

    times = sorted(took for each in in_children([one] * connections) for took in each)
    return Sample(1, times[int(len(times) * _SLOWEST)])


def _timed(target: Target, flow: Flow, seconds: int, ready: Ready) -> Iterator[float]:
    requests = flow.requests(target)
    line = socket.create_connection((target.host, target.port), PATIENCE)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ready()
    began = time.monotonic()
    for number in range(seconds * EACH_SECOND):
        time.sleep(max(0.0, began + number / EACH_SECOND - time.monotonic()))
        asked = time.perf_counter()
        line.sendall(next(requests))
        response = HTTPResponse(line, method=flow.method)
        response.begin()
        Answer(response.status, b"", response.read()).expect(flow.status, f"{target.label}: {flow.path}")
        yield time.perf_counter() - asked
    line.close()
