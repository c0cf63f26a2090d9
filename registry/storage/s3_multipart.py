"""Multipart uploads of one key: their parts' numbers and sizes, what is noted between requests, and the way up.

    state   {"upload": id, "parts": [[number, size, etag], …], "tail": [key, size] | null}

A part that is not named when the upload completes is not in the object: to cut means to name fewer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Lock
from typing import Final, Self

from registry.core.ports import ObjectLost
from registry.oci.errors import StorageFull
from registry.storage.s3_bucket import Bucket
from registry.storage.s3_client import MIB
from registry.storage.s3_gathering import Allowance

MOST_IN_FLIGHT: Final = 256
"""Parts of one request on their way at the same time, whatever is set."""
_GATHERED: Final = 32 * MIB
_LAST_NUMBER: Final = 10_000
_DOUBLED_EVERY: Final = 1_000
_MOST_PART: Final = 128 * MIB


@dataclass(frozen=True, slots=True)
class Part:
    """A part that the store has, as it answered."""

    number: int
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class State:
    """What an acknowledged offset stands on: parts, then a tail too small to be one."""

    upload: str | None = None
    parts: tuple[Part, ...] = ()
    tail: tuple[str, int] | None = None

    @property
    def offset(self) -> int:
        """The bytes in it."""
        return sum(part.size for part in self.parts) + (self.tail[1] if self.tail else 0)

    def etags(self, tail: bytes) -> list[str]:
        """Those of the parts that seal it: the tail, with these bytes, is the last."""
        last = [hashlib.md5(tail, usedforsecurity=False).hexdigest()] if self.tail else []
        return [part.etag for part in self.parts] + last

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises: ValueError."""
        if not text:
            return cls()
        try:
            document = json.loads(text)
            parts = tuple(Part(int(number), int(size), str(etag)) for number, size, etag in document["parts"])
            tail = document["tail"]
            return cls(document["upload"], parts, (str(tail[0]), int(tail[1])) if tail else None)
        except (TypeError, KeyError, IndexError, AttributeError) as error:
            raise ValueError(f"not the state of an upload: {text[:100]!r}") from error

    def __str__(self) -> str:
        parts = [[part.number, part.size, part.etag] for part in self.parts]
        return json.dumps({"upload": self.upload, "parts": parts, "tail": self.tail}, separators=(",", ":"))


def part_size(number: int, first: int) -> int:
    """Bytes of the part of this number: doubled every 1000, so that the 10 000 there may be hold any layer.

    From 8 MiB: 64 MiB at 60 GB, and 850 GB in all; no part is larger, because it waits in memory until it is full.
    """
    return min(first << (number // _DOUBLED_EVERY), max(first, _MOST_PART))


def composite(etags: Sequence[str]) -> str | None:
    """The entity tag of an object made of these parts, where the store's are MD5 sums; they are not under `aws:kms`."""
    try:
        sums = b"".join(bytes.fromhex(etag.strip('"')) for etag in etags)
    except ValueError:
        return None
    return f"{hashlib.md5(sums, usedforsecurity=False).hexdigest()}-{len(etags)}"


class Lane:
    """Where all requests' parts go up in parallel; bounds how many, and with them the memory they fill.

    Before that, while they gather, all together have `memory` bytes, and beyond those files in `folder`.
    """

    def __init__(self, concurrency: int, size: int, memory: int = _GATHERED, folder: Path | None = None) -> None:
        self._pool = ThreadPoolExecutor(min(concurrency, MOST_IN_FLIGHT), "s3-part")
        self._least = size
        self._most = self._free = size * min(concurrency, MOST_IN_FLIGHT)
        self._turn = Lock()
        self._freed = Condition()
        self.allowance = Allowance(memory, folder)

    def submit(self, size: int, depart: Callable[[], Callable[[], Part] | None]) -> Future[Part] | None:
        """Wait for room, then ask `depart` for the work; None when it has none any more."""
        # No part costs less than its share: so no more are under way than there are threads, and none waits for one.
        cost = min(max(size, self._least), self._most)
        self._book(cost)
        with contextlib.ExitStack() as undo:
            undo.callback(self._release, cost)
            work = depart()
            if work is None:
                return None
            future = self._pool.submit(work)
            undo.pop_all()
        future.add_done_callback(lambda _: self._release(cost))
        return future

    def close(self) -> None:
        """Wait for what is on its way."""
        self._pool.shutdown()

    def _book(self, cost: int) -> None:
        # In turn, so that small parts do not pass a large one by for ever.
        with self._turn, self._freed:
            self._freed.wait_for(lambda: self._free >= cost)
            self._free -= cost

    def _release(self, cost: int) -> None:
        with self._freed:
            self._free += cost
            self._freed.notify()


@dataclass(frozen=True, slots=True)
class Multipart:
    """The multipart uploads of one key."""

    bucket: Bucket
    key: str

    def begin(self) -> str:
        """A new upload's id."""
        return str(self.bucket.call("create_multipart_upload", self.key, **self.bucket.encryption)["UploadId"])

    def send(self, upload: str, number: int, body: bytes | bytearray) -> Part:
        """One part; the lane bounds how many. Raises: ObjectLost when the upload is gone."""
        if number > _LAST_NUMBER:
            raise StorageFull(parts=_LAST_NUMBER)
        answer = self.bucket.call_at_once("upload_part", self.key, UploadId=upload, PartNumber=number, Body=body)
        return Part(number, len(body), str(answer["ETag"]).strip('"'))

    def last_number(self, upload: str, after: int) -> int:
        """The highest number the store knows, `after` if there is none above. Raises: ObjectLost."""
        while True:
            answer = self.bucket.call("list_parts", self.key, UploadId=upload, PartNumberMarker=after)
            after = max([after, *(int(part["PartNumber"]) for part in answer.get("Parts", ()))])
            if not answer.get("IsTruncated"):
                return after

    def complete(self, upload: str, parts: Sequence[Part]) -> None:
        """Make the object. Raises: ObjectLost when the store has other parts, or an object of another size."""
        named = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        try:
            self.bucket.call("complete_multipart_upload", self.key, UploadId=upload, MultipartUpload={"Parts": named})
        except ObjectLost:
            # An attempt of ours whose answer was lost has done it; or a late one of an earlier request, with its bytes.
            if not self.is_made_of([part.etag for part in parts]):
                raise
        self.check(sum(part.size for part in parts))

    def is_made_of(self, etags: Sequence[str]) -> bool:
        """Whether the object is there, and is certainly these parts."""
        head = self.bucket.head(self.key)
        return head is not None and head[1] == composite(etags)

    def check(self, size: int) -> None:
        """Raises: ObjectLost when the object is not there, or of another size."""
        head = self.bucket.head(self.key)
        if head is None or head[0] != size:
            raise ObjectLost(self.key)

    def abort_all(self, but: str | None = None) -> None:
        """Give back what was sent to the key's uploads; nobody completes them any more."""
        for upload in self.bucket.uploads(self.key):
            if upload != but:
                with contextlib.suppress(ObjectLost):
                    self.bucket.call("abort_multipart_upload", self.key, UploadId=upload)
