"""Replicas behind a balancer, and a crowd that pushes and pulls there while something happens to them."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

import httpx

from tests.support.client import RegistryClient
from tests.support.images import TinyImage, tiny_image
from tests.support.server import RunningServer

CHECKING = 6


@dataclass(frozen=True)
class Fleet:
    """The replicas, and where they are one."""

    servers: Sequence[RunningServer]
    host: str

    @contextmanager
    def client(self) -> Iterator[RegistryClient]:
        with httpx.Client(base_url=f"http://{self.host}", trust_env=False, timeout=30) as http:
            yield RegistryClient(http)


@dataclass
class Crowd:
    """Who pushes and pulls until `end`; every image that was ever acknowledged is remembered."""

    fleet: Fleet
    repository: str
    end: float = math.inf
    pause: float = 0.0
    acknowledged: dict[tuple[str, str], TinyImage] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def write(self, number: int) -> None:
        name = f"{self.repository}/{number % 5}"
        with self.fleet.client() as client:
            for turn in itertools.count():
                if time.monotonic() > self.end:
                    return
                image, tag = tiny_image(f"{name} {number} {turn}", layers=2), f"w{number}-{turn}"
                if self._patiently(partial(client.push_image, name, image, tag)):
                    with self._lock:
                        self.acknowledged[name, tag] = image
                time.sleep(self.pause)

    def read(self) -> None:
        with self.fleet.client() as client:
            while time.monotonic() < self.end:
                with self._lock:
                    pushed = list(self.acknowledged.items())
                if pushed:
                    (name, tag), image = random.choice(pushed)  # noqa: S311 - any of them
                    self._patiently(partial(check, client, name, tag, image))
                time.sleep(self.pause)

    def has_pushed(self, number: int) -> bool:
        return len(self.acknowledged) >= number

    def assert_nothing_is_lost(self) -> None:
        assert not self.failures
        with self.fleet.client() as client, ThreadPoolExecutor(CHECKING) as threads:
            checks = [threads.submit(check, client, *named, image) for named, image in self.acknowledged.items()]
            for each in checks:
                each.result()

    def _patiently(self, ask: Callable[[], object]) -> bool:
        """As clients try again what a dropped connection or a 5xx spoils; whether it came to an end."""
        problem = ""
        for attempt in range(5):
            try:
                ask()
            except (httpx.TransportError, AssertionError) as error:
                problem = repr(error)
                time.sleep(0.5 * (attempt + 1))
            else:
                return True
        self.failures.append(problem)
        return False


def check(client: RegistryClient, name: str, tag: str, image: TinyImage) -> None:
    """That all of it is there, byte for byte."""
    manifest = client.manifest(name, tag)
    assert manifest.status_code == 200, manifest.text
    assert manifest.content == image.manifest
    for blob in image.blobs:
        answer = client.blob(name, blob.digest)
        assert answer.status_code == 200, answer.text
        assert answer.content == blob.data
