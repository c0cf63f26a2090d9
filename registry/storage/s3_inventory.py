"""What lies in a bucket, whoever knows of it: objects, tails of upload sessions, multipart uploads under way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from registry.core.facts import ObjectKey
from registry.core.fsck_facts import Held, HeldKind
from registry.core.ports import ObjectLost
from registry.storage.layout import BLOBS, UPLOADS, is_key, key_of_tail, tails_of
from registry.storage.s3_bucket import Bucket
from registry.storage.s3_multipart import State

_PLACES: Final = (f"{BLOBS}/", f"{UPLOADS}/")


class S3Inventory:
    """`StoreInventory` of one bucket. What lies beside our two folders in it is not looked at: it may be anybody's."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def pages(self) -> Iterator[Sequence[Held]]:
        """See the port. Raises: Unavailable."""
        for place in _PLACES:
            for page in self._bucket.listing(place):
                yield [_stored(*each) for each in page]
        for begun in self._bucket.multipart_listing(_PLACES[0]):
            yield [_under_way(*each) for each in begun]

    def holds(self, held: Held) -> bool:
        """See the port. Raises: Unavailable."""
        if held.kind is HeldKind.MULTIPART:
            return held.upload in self._bucket.uploads(held.name)
        return self._bucket.head(held.name) is not None

    def is_needed(self, held: Held, stored: str) -> bool:
        """See the port. Every tail ends with its session; an upload that is another than the noted one does not.

        Once an upload is noted, the session goes on with no other. Before that the one under way may be anybody's.
        """
        try:
            noted = State.parse(stored).upload
        except ValueError:
            return True
        return held.kind is not HeldKind.MULTIPART or noted in {None, held.upload}

    def keep(self, key: ObjectKey) -> None:
        """See the port: what a bucket lists is kept. Raises: ObjectLost, Unavailable."""
        if self._bucket.head(key.text) is None:
            raise ObjectLost(str(key))

    def abort(self, held: Held) -> None:
        """See the port. Raises: Unavailable."""
        with contextlib.suppress(ObjectLost):
            self._bucket.call("abort_multipart_upload", held.name, UploadId=held.upload)


def _stored(name: str, size: int, changed: datetime) -> Held:
    if is_key(name):
        key = ObjectKey(name)
        return Held(HeldKind.OBJECT, name, size, changed, key, key)
    tailed = key_of_tail(name)
    if tailed is not None:
        return Held(HeldKind.TAIL, name, size, changed, tailed, tails_of(tailed))
    return Held(HeldKind.FOREIGN, name, size, changed)


def _under_way(name: str, upload: str, begun: datetime) -> Held:
    if not is_key(name):
        return Held(HeldKind.FOREIGN, name, 0, begun, upload=upload)
    key = ObjectKey(name)
    return Held(HeldKind.MULTIPART, name, 0, begun, key, key, upload)
