"""A distribution API to be asked both ways: at once, and in its turn."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from registry.api.app import DistributionApi
from registry.api.authenticate import Challenges
from registry.api.bodies import Memory
from registry.api.messages import Answer
from registry.api.pulls import Pulls
from registry.api.services import Services, Threads
from registry.auth.tokens import Tokens
from registry.core.access import Access
from registry.core.pulling import PullService
from registry.metadata.reader import SqliteReader
from registry.oci.digest import Digest
from tests.unit.api.conftest import Counting, Gate, request
from tests.unit.core.house import APP, House, image
from tests.unit.metadata.databases import quick_folder

SMALL, OBJECT, LARGE = b"small layer", b"o" * 9000, b"large" * 40_000
"""In a row; in an object that is read; in an object that is sent."""
IMAGE, REFERRER = image(SMALL), image(OBJECT, subject=image(SMALL))
ABSENT = Digest.of(b"absent")


@dataclass(frozen=True)
class Sent:
    """One response, and what the access log would tell of it."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    told: object


@dataclass
class Front:
    """A registry that may be asked both ways; it holds an image, its referrer, and a blob of each size."""

    gate: Gate
    in_thread: Threads = field(default_factory=lambda: Threads(2))

    def __post_init__(self) -> None:
        house = self.house = self.gate.house
        connection = house.metadata.reader()
        self.reader = SqliteReader(connection.run, connection.version)
        self.pulls = Pulls(PullService(house.metadata), pause=0)
        services = Services(
            reader=self.reader,
            writer=house.metadata,
            store=house.store,
            access=Access(),
            uploads=house.uploads,
            blobs=house.blobs,
            manifests=house.manifests,
            pulls=self.pulls,
            in_thread=self.in_thread,
            manifest_limit=4 << 20,
            memory=Memory(1 << 20),
        )
        self.api = DistributionApi(services, self.gate.authenticator, Challenges("entrepot", None))
        house.push_image("v1", APP, SMALL)
        for blob in (OBJECT, LARGE):
            house.push_blob(blob, APP, large=True)
        house.push_manifest(REFERRER)

    def close(self) -> None:
        self.gate.authenticator.close()
        self.in_thread.close()
        self.house.close()

    def at_once(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """What is answered here and now, without any event loop."""
        answer = self.api.at_once(scope_of(path, method, **headers), asked_again=True)
        assert isinstance(answer, Answer)
        return answer

    def object_of(self, content: bytes) -> Path:
        blob = self.house.serves(Digest.of(content))
        assert blob is not None
        assert blob.key is not None
        return self.house.folder / blob.key.text

    def lose(self, content: bytes, loss: str) -> None:
        """Let its object be `removed`, or cut by a byte."""
        path = self.object_of(content)
        if loss == "removed":
            path.unlink()
        else:
            os.truncate(path, len(content) - 1)

    def lease_of(self, content: bytes) -> datetime:
        blob = self.house.serves(Digest.of(content))
        assert blob is not None
        return blob.lease_until


def scope_of(path: str, method: str = "GET", **headers: str) -> MutableMapping[str, Any]:
    target, _, query = path.partition("?")
    scope = request(target, method, query, host="registry.test", **headers).scope
    scope["state"] = {}
    return scope


async def ordinary(front: Front, scope: MutableMapping[str, Any]) -> Sent:
    return await sent_by(front.api, scope)


async def prompt(front: Front, scope: MutableMapping[str, Any], *, again: bool) -> Sent:
    """As the server sends what it is given at once."""
    reply = front.api.at_once(scope, asked_again=again)
    if not isinstance(reply, Answer):
        return await sent_by(reply, scope)
    assert isinstance(reply.body, bytes)
    body = b"" if scope["method"] == "HEAD" else reply.body
    return Sent(reply.status, tuple(reply.headers), body, scope["state"].get("access"))


async def sent_by(app: Callable[..., Awaitable[None]], scope: MutableMapping[str, Any]) -> Sent:
    messages: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    await app(scope, receive, send)
    start, *rest = messages
    body = b"".join(each["body"] for each in rest)
    return Sent(start["status"], tuple(start["headers"]), body, scope["state"].get("access"))


@contextmanager
def opened(passwords: Counting, secret: str, tokens: Tokens, **who: bool) -> Iterator[Front]:
    """One on a folder of its own, with two accounts of one `secret`; `who` may pass is the gate's."""
    with quick_folder() as folder:
        house = House(folder, in_memory=False)
        house.rows("UPDATE credential SET secret = ?", secret)
        house.metadata.transact(lambda tx: tx.accounts.add_password(tx.accounts.add("bob", "user"), secret))
        with closing(Front(Gate(house, passwords, tokens, **who))) as front:
            yield front


def blob_path(content: bytes) -> str:
    return f"/v2/{APP}/blobs/{Digest.of(content)}"


def manifest_path(reference: object) -> str:
    return f"/v2/{APP}/manifests/{reference}"
