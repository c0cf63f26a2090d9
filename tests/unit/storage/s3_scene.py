"""A store behind a proxy that can spoil what passes, one upload session in it, and requests that came earlier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Thread

import pytest

from registry.core.ports import ObjectLost, Receiver
from registry.oci.errors import Unavailable
from registry.storage.s3 import S3Store
from registry.storage.s3_bucket import Bucket
from registry.storage.s3_client import MIB, S3Settings
from registry.storage.s3_multipart import State
from tests.support.receiving import Session, content
from tests.support.s3 import S3Server, s3_server
from tests.support.s3_faults import FaultyProxy

__all__ = ["s3_server", "scene"]

PART = 5 * MIB
ONE, TWO, THREE = (letter * PART for letter in (b"1", b"2", b"3"))


@dataclass
class Scene:
    """A store behind a proxy, and one upload session in it."""

    proxy: FaultyProxy
    settings: S3Settings
    store: S3Store = field(init=False)
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        self.store = S3Store(self.settings)
        self.store.load_or_create_layout("an instance")
        self.session = Session(self.store)
        # The first object finds out what the store can do.
        Session(self.store).seal()
        self.proxy.seen.clear()

    @property
    def bucket(self) -> Bucket:
        return Bucket(self.settings)

    @property
    def state(self) -> State:
        return State.parse(self.session.stored)

    def content(self) -> bytes:
        return content(self.store, self.session.key)

    def beside(self, earlier: Callable[[], object]) -> Earlier:
        """Run what an earlier request does until the proxy holds it up."""
        request = Earlier(earlier)
        request.start()
        assert self.proxy.held.wait(20)
        return request

    def let_go(self, earlier: Earlier) -> object:
        """What came of the earlier request."""
        self.proxy.let_go.set()
        earlier.join()
        return earlier.result


class Earlier(Thread):
    """A request that is still running, and what became of it."""

    result: object = None

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work = work

    def run(self) -> None:
        try:
            self.result = self._work()
        except (ObjectLost, Unavailable) as error:
            self.result = type(error)


@pytest.fixture
def scene(s3_server: S3Server) -> Iterator[Scene]:
    with FaultyProxy(s3_server) as proxy:
        scene = Scene(proxy, s3_server.new_place(endpoint=proxy.url, part_size=PART, concurrency=4))
        yield scene
        proxy.let_go.set()
        scene.store.close()


def send_and_seal(receiver: Receiver, content: bytes) -> None:
    receiver.append([content])
    receiver.sync()
    receiver.seal()
