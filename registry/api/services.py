"""What the handlers may ask: the rules, the pull path's lookups, and threads for everything that waits."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from registry.api.bodies import Memory
from registry.api.pulls import Pulls
from registry.core.access import Access
from registry.core.blobs import BlobService
from registry.core.manifests import ManifestService
from registry.core.ports import ObjectStore, Reader, Transaction
from registry.core.uploads import UploadService

T = TypeVar("T")
_POLITE: Final = 10


class Threads:
    """A bounded pool. Each use costs a hop of 150 µs: once per operation, and once per gathered piece of a body."""

    def __init__(self, most: int, *, yielding: bool = False) -> None:
        """Those that are `yielding` give way to everything else that wants a processor, the event loop above all."""
        self._pool = ThreadPoolExecutor(most, "registry", initializer=_give_way if yielding else None)

    async def __call__(self, work: Callable[..., T], /, *arguments: object) -> T:
        """Run `work` in a thread; what it raises is raised here."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    def later(self, work: Callable[[], None]) -> None:
        """Run `work` in a thread, and do not wait: for what must be done although the request may be cancelled."""
        try:
            self._pool.submit(work)
        except RuntimeError:
            # The pool is closed: the last requests of a stopping worker do it themselves.
            work()

    def close(self) -> None:
        """Wait for what is running; what has not begun is not begun."""
        self._pool.shutdown(cancel_futures=True)


def _give_way() -> None:
    # Linux has a priority for each thread, by its id.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _POLITE)


class Writer(Protocol):
    """Transactions for who has something else to do meanwhile."""

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """`Metadata.transact`, told later; one that has not begun may be cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the API. `manifest_limit` is in bytes.

    `not_redirected` are words of user agents that cannot be sent elsewhere for a blob.
    """

    reader: Reader
    writer: Writer
    store: ObjectStore
    access: Access
    uploads: UploadService
    blobs: BlobService
    manifests: ManifestService
    pulls: Pulls
    in_thread: Threads
    manifest_limit: int
    memory: Memory
    not_redirected: tuple[str, ...] = ()

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Wait for a transaction without a thread that waits."""
        return await asyncio.wrap_future(self.writer.submit(work))
