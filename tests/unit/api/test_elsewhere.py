"""Blobs in a store that takes its time: clients are sent there, or what it says is passed on to them."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import pytest

from registry.auth.tokens import Tokens
from registry.core.facts import ObjectKey
from registry.core.ports import ObjectStore
from registry.oci.digest import Digest
from tests.unit.api.conftest import Counting
from tests.unit.api.front import LARGE, OBJECT, SMALL, Front, Sent, blob_path, opened, prompt, scope_of
from tests.unit.server.site import eventually

URL = "https://store.test/bucket/key?signature=x"


@dataclass
class FarStore:
    """The house's store as one beyond a network: nothing may be asked of it on the event loop."""

    near: ObjectStore
    address: str | None = None
    closed: list[BinaryIO] = field(default_factory=list)
    is_prompt: bool = False

    def open(self, key: ObjectKey, start: int = 0) -> BinaryIO:
        assert threading.current_thread() is not threading.main_thread()
        with self.near.open(key, start) as stream:
            passed = io.BytesIO(stream.read())
        self.closed.append(passed)
        return passed

    def url(self, _: ObjectKey) -> str | None:
        return self.address

    def __getattr__(self, name: str) -> Any:
        assert name not in {"size", "pread"}, "a question that waits for the network"
        return getattr(self.near, name)


@pytest.fixture
def front(passwords: Counting, secret: str, tokens: Tokens) -> Iterator[Front]:
    with opened(passwords, secret, tokens, is_open=True) as front:
        yield front


def far(front: Front, address: str | None = None) -> FarStore:
    store = FarStore(front.house.store, address)
    front.api._registry = replace(front.api._registry, store=store, not_redirected=("old-client",))
    return store


def ask(front: Front, path: str, method: str = "GET", **headers: str) -> Sent:
    return asyncio.run(prompt(front, scope_of(path, method, **headers), again=True))


def told(sent: Sent) -> dict[bytes, bytes]:
    return dict(sent.headers)


@pytest.mark.parametrize("content", [SMALL, OBJECT, LARGE])
def test_what_the_store_sends_is_passed_on(front: Front, content: bytes) -> None:
    store = far(front)
    sent = ask(front, blob_path(content))
    assert (sent.status, sent.body) == (200, content)
    assert told(sent)[b"content-length"] == b"%d" % len(content)
    # By a thread, and nobody waits for it.
    assert eventually(lambda: all(stream.closed for stream in store.closed))


def test_of_a_range_only_that_part_is_fetched(front: Front) -> None:
    far(front)
    sent = ask(front, blob_path(LARGE), range="bytes=70000-70009")
    assert (sent.status, sent.body) == (206, LARGE[70_000:70_010])


def test_that_a_blob_is_there_is_not_asked_of_the_store(front: Front) -> None:
    store = far(front)
    sent = ask(front, blob_path(LARGE), "HEAD")
    assert (sent.status, told(sent)[b"content-length"]) == (200, b"%d" % len(LARGE))
    assert not store.closed


def test_clients_are_sent_to_the_store_for_what_it_keeps(front: Front) -> None:
    store = far(front, URL)
    sent = ask(front, blob_path(LARGE))
    assert (sent.status, sent.body) == (307, b"")
    assert told(sent)[b"location"] == URL.encode()
    assert told(sent)[b"docker-content-digest"] == str(Digest.of(LARGE)).encode()
    assert told(sent)[b"content-length"] == b"0"
    assert not store.closed
    # What lies in a row is nowhere else, and to ask whether it is there is answered here.
    assert ask(front, blob_path(SMALL)).body == SMALL
    assert ask(front, blob_path(LARGE), "HEAD").status == 200


def test_a_client_that_has_the_blob_already_is_not_sent_anywhere(front: Front) -> None:
    far(front, URL)
    assert ask(front, blob_path(LARGE), **{"if-none-match": f'"{Digest.of(LARGE)}"'}).status == 304


def test_a_client_that_cannot_be_sent_elsewhere_is_served_here(front: Front) -> None:
    far(front, URL)
    sent = ask(front, blob_path(LARGE), **{"user-agent": "old-client/1.0"})
    assert (sent.status, sent.body) == (200, LARGE)


@pytest.mark.parametrize("content", [OBJECT, LARGE])
def test_what_the_store_has_lost_is_damaged_from_then_on(front: Front, content: bytes) -> None:
    far(front)
    front.lose(content, "removed")
    assert ask(front, blob_path(content)).status == 404
    assert front.house.serves(Digest.of(content)) is None
