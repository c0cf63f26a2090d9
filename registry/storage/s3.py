"""Objects in an S3 bucket, shared by any number of processes on any number of machines.

    PREFIX layout.json                       whose bucket this is; see registry/storage/layout.py
    PREFIX blobs/<2 hex>/<uuid>              one object, whole: there from the moment it is sealed, and never replaced
    PREFIX uploads/<uuid>/<random>           the bytes of a session that were too few for a part when acknowledged

The bytes of an upload session are parts of a multipart upload to the object's own key, so that to commit it moves none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore, Lock
from time import monotonic
from typing import BinaryIO, Final, cast

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectLost
from registry.storage.layout import LAYOUT_FILE, Layout, is_tails, object_path, tails_of
from registry.storage.s3_bucket import Bucket
from registry.storage.s3_client import LEAST_PART, AlreadyThere, NotOffered, S3Settings
from registry.storage.s3_memory import give_back_large_blocks
from registry.storage.s3_multipart import MOST_IN_FLIGHT, Lane, Multipart, State
from registry.storage.s3_receiver import S3Receiver, Shared, Start
from registry.storage.s3_stream import Readers

_MOST_URLS: Final = 10_000
_ENDED_TOGETHER: Final = 8
"""Keys of which what was begun is looked for at a time: few, as clients wait for the same connections."""
_PATIENCE: Final = 30.0
"""Seconds to wait for a place among the readers."""


class S3Store:
    """The objects of one bucket. Safe to use from any thread; `close` it."""

    is_prompt: Final = False
    least_chunk: Final = LEAST_PART

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        give_back_large_blocks()
        self._bucket = Bucket(settings)
        self._lane = Lane(settings.concurrency, settings.part_size, settings.memory, settings.folder)
        self._readers = Readers(self._bucket, BoundedSemaphore(settings.readers), _PATIENCE)
        self._lock = Lock()
        self._is_kept_first: bool | None = None
        self._urls: dict[str, tuple[str, float]] = {}

    def load_or_create_layout(self, instance: str) -> Layout:
        """The bucket's layout, made when it has none.

        Raises: LayoutInvalid, InstanceMismatch, Unavailable.
        """
        content = self._find(LAYOUT_FILE)
        if content is None:
            self._put_first(LAYOUT_FILE, Layout.of(instance).document())
            content = self._bucket.get(LAYOUT_FILE)
        where = f"bucket {self._settings.bucket}/{self._settings.prefix}"
        layout = Layout.parse(content, f"{LAYOUT_FILE} of {where}")
        layout.check(instance, where)
        return layout

    def receive(self, key: ObjectKey, offset: int, state: str, still_mine: Callable[[], bool]) -> S3Receiver | None:
        """See the port; nobody is waited for. Raises: ObjectLost, Unavailable."""
        path = object_path(key)
        if not still_mine():
            return None
        try:
            known = State.parse(state)
        except ValueError:
            raise ObjectLost(path) from None
        if known.offset != offset:
            raise ObjectLost(path)
        shared = Shared(self._bucket, self._lane, self._settings.part_size, self._keeps_first)
        return S3Receiver(shared, key, self._start(path, known), still_mine)

    def size(self, key: ObjectKey) -> int | None:
        """See the port."""
        head = self._bucket.head(object_path(key))
        return None if head is None else head[0]

    def open(self, key: ObjectKey, start: int = 0) -> BinaryIO:
        """See the port. Raises: ObjectLost, Unavailable."""
        return cast("BinaryIO", self._readers.open(object_path(key), start))

    def pread(self, key: ObjectKey, start: int, length: int) -> bytes:
        """See the port. Raises: ObjectLost, Unavailable."""
        path = object_path(key)
        return self._readers.part(path, start, length) if length else b""

    def url(self, key: ObjectKey) -> str | None:
        """See the port. To sign costs more than all else about a pull, so a URL is given out for half its life."""
        path = object_path(key)
        if not self._settings.redirect:
            return None
        found = self._urls.get(path)
        if found is not None and monotonic() < found[1]:
            return found[0]
        seconds = int(self._settings.redirect_lifetime.total_seconds())
        url = self._bucket.url(path, seconds)
        if len(self._urls) >= _MOST_URLS:
            self._urls.clear()
        self._urls[path] = (url, monotonic() + seconds / 2)
        return url

    def delete(self, keys: Iterable[ObjectKey]) -> None:
        """See the port; uploads before objects, so that none is completed behind us. Raises: Unavailable."""
        tails: list[ObjectKey] = []
        objects: list[ObjectKey] = []
        for key in keys:
            (tails if is_tails(key) else objects).append(key)
        # Every key is read before anything goes.
        tails += [tails_of(key) for key in objects]
        with ThreadPoolExecutor(_ENDED_TOGETHER, "s3-delete") as pool:
            list(pool.map(lambda key: Multipart(self._bucket, key.text).abort_all(), objects))
            list(pool.map(lambda prefix: self._bucket.delete_under(prefix.text), tails))
        self._bucket.delete(dict.fromkeys(key.text for key in objects))
        for key in objects:
            self._urls.pop(key.text, None)

    def close(self) -> None:
        """Wait for the parts on their way."""
        self._lane.close()

    def _start(self, path: str, known: State) -> Start:
        """Raises: ObjectLost."""
        tail = self._bucket.get(known.tail[0]) if known.tail else b""
        if known.tail and len(tail) != known.tail[1]:
            raise ObjectLost(known.tail[0])
        if known.upload is None:
            return Start(known, tail)
        last = max((part.number for part in known.parts), default=0)
        multipart = Multipart(self._bucket, path)
        try:
            listed = multipart.last_number(known.upload, last)
        except ObjectLost:
            # Sealed by an earlier request, whose answer or commit was lost: then there is nothing left to send.
            if not multipart.is_made_of(known.etags(tail)):
                raise
            return Start(known, tail, is_sealed=True)
        # See the head of s3_receiver: with a claim above our state somebody may still be sending.
        return Start(known, tail, last + 1 if listed == last else listed + MOST_IN_FLIGHT + 1)

    def _keeps_first(self) -> bool:
        """Whether the store can be told not to replace an object; found out once, on a file that is always the same."""
        with self._lock:
            if self._is_kept_first is None:
                content = self._find(LAYOUT_FILE)
                if content is None:
                    return False
                # The same bytes once more: nothing is harmed where the store does not mind the condition.
                self._is_kept_first = not self._put_first(LAYOUT_FILE, content)
            return self._is_kept_first

    def _find(self, key: str) -> bytes | None:
        return None if self._bucket.head(key) is None else self._bucket.get(key)

    def _put_first(self, key: str, content: bytes) -> bool:
        """Put unless there is an object already; whether it was put. A store that knows no conditions puts always."""
        try:
            self._bucket.put(key, content, is_new=True)
        except AlreadyThere:
            return False
        except NotOffered:
            self._bucket.put(key, content)
        return True
