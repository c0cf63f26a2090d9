"""Pulling where the registry says where: each body comes from the store, at the price of one question more."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

from tests.bench.children import in_child
from tests.bench.load import Sample
from tests.bench.material import Blob, Material
from tests.bench.seed import hold_blob
from tests.bench.target import PATIENCE, Target, WrongAnswer, ask
from tests.bench.work import MIB, REPOSITORY, Prepared

REDIRECTS = frozenset({302, 307})


@dataclass(frozen=True, slots=True)
class Redirected:
    """A large blob again and again, each time asked of the registry and fetched where that points."""

    blob: Callable[[Material], Blob]
    connections: int
    unit: str = "MiB/s"

    def prepare(self, target: Target, material: Material) -> Prepared:
        """As any work."""
        blob = self.blob(material)
        hold_blob(target, REPOSITORY, blob)
        path = f"/v2/{REPOSITORY}/blobs/{blob.digest}"
        whole = hashlib.sha256()
        with closing(_Client(target, path)) as client:
            client.fetch(whole.update)
        if f"sha256:{whole.hexdigest()}" != blob.digest:
            raise WrongAnswer(f"{target.label}: {path}: other bytes came from where it points")

        def run(seconds: int) -> Sample:
            return in_child(lambda: _pull(target, path, self.connections, seconds))

        return Prepared(run)


class _Client:
    """A connection to the registry and one to the store, both kept."""

    def __init__(self, target: Target, path: str) -> None:
        self._target, self._path = target, path
        self._asking, self._fetching = target.connect(), HTTPConnection("")
        self._window = memoryview(bytearray(MIB))

    def fetch(self, take: Callable[[memoryview], object]) -> None:
        """The whole body, piece by piece. Raises: WrongAnswer."""
        try:
            response = self._response()
            while count := response.readinto(self._window):
                take(self._window[:count])
        except (OSError, HTTPException) as broken:
            raise WrongAnswer(f"{self._target.label}: {self._path}: {broken!r}") from broken

    def _response(self) -> HTTPResponse:
        answer = ask(self._target, self._asking, "GET", self._path)
        location = answer.header("Location")
        if answer.status not in REDIRECTS or not location:
            raise WrongAnswer(f"{self._target.label}: {self._path}: no redirect but {answer.status}")
        parts = urlsplit(location)
        if (self._fetching.host, self._fetching.port) != (parts.hostname, parts.port or 80):
            self._fetching.close()
            self._fetching = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=PATIENCE)
        self._fetching.request("GET", f"{parts.path}?{parts.query}")
        response = self._fetching.getresponse()
        if response.status != 200:
            raise WrongAnswer(f"{self._target.label}: {self._path}: the store answers {response.status}")
        return response

    def close(self) -> None:
        self._asking.close()
        self._fetching.close()


def _pull(target: Target, path: str, connections: int, seconds: float) -> Sample:
    """So many at once, until the time is up; bytes count as they come."""
    began = time.monotonic()
    over = threading.Event()

    def one() -> int:
        received = 0

        def take(piece: memoryview) -> None:
            nonlocal received
            received += len(piece)
            if over.is_set():
                raise _TimeIsUp

        with closing(_Client(target, path)) as client:
            try:
                while True:
                    client.fetch(take)
            except _TimeIsUp:
                return received

    with ThreadPoolExecutor(connections) as pool:
        pulling = [pool.submit(one) for _ in range(connections)]
        over.wait(seconds)
        over.set()
        total = sum(each.result() for each in pulling)
        return Sample(total / MIB, time.monotonic() - began)


class _TimeIsUp(Exception):
    """Enough was seen."""
