"""Somebody who tries passwords, a hundred a second, from an address of its own; and who pulls meanwhile."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.support.server import RunningServer

Credentials = tuple[str, str] | None
_HANDS = 10
_PER_SECOND = 100


def client_from(server: RunningServer, address: str) -> httpx.Client:
    """All of 127.0.0.0/8 is this machine's, so anybody may come from anywhere in it."""
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=server.url, transport=transport, trust_env=False, timeout=30)


@dataclass
class Attack:
    """`tried` gives the credentials of each attempt by its number; `answers` counts what came of them."""

    server: RunningServer
    address: str
    tried: Callable[[int], Credentials]
    answers: Counter[int] = field(default_factory=Counter)
    waits: list[int] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Many hands, each at its own part of the pace."""
        with ThreadPoolExecutor(_HANDS) as hands:
            for ends, waits in hands.map(lambda hand: self._hand(hand, seconds), range(_HANDS)):
                self.answers += ends
                self.waits += waits

    def _hand(self, hand: int, seconds: float) -> tuple[Counter[int], list[int]]:
        ends: Counter[int] = Counter()
        waits: list[int] = []
        begun, pace = time.monotonic(), _HANDS / _PER_SECOND
        with client_from(self.server, self.address) as http:
            for turn in range(int(seconds / pace)):
                time.sleep(max(0.0, begun + turn * pace - time.monotonic()))
                answer = http.get("/v2/", auth=self.tried(hand + turn * _HANDS))
                ends[answer.status_code] += 1
                waits += [int(answer.headers["retry-after"])] if "retry-after" in answer.headers else []
        return ends, waits


@contextmanager
def going_on(attack: Attack, seconds: float) -> Iterator[None]:
    """While it runs."""
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(attack.run, seconds)
        yield
        running.result()


def slowest_of_a_hundred(server: RunningServer, path: str, seconds: float) -> float:
    """The 99th percentile of what one client waits for an answer, in seconds."""
    waited: list[float] = []
    end = time.monotonic() + seconds
    with client_from(server, "127.0.0.1") as http:
        while (began := time.monotonic()) < end:
            assert http.get(path).status_code == httpx.codes.OK
            waited.append(time.monotonic() - began)
            time.sleep(0.005)
    return percentile(waited, 99)


def percentile(values: Sequence[float], which: int) -> float:
    return statistics.quantiles(values, n=100)[which - 1]
