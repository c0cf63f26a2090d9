"""Somebody else's objects, read as the tree of files that their keys spell; nothing is ever written.

One call lists a folder, for `Delimiter` folds what lies deeper into the names of folders.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import BoundedSemaphore
from typing import Any, Final, Self

from registry.core.ports import ObjectLost
from registry.storage.s3_bucket import Bucket
from registry.storage.s3_client import MIB, S3Settings, new_client, translated
from registry.storage.s3_stream import Readers, S3Stream

_SLASH: Final = "/"
# Whoever reads here has nobody waiting, and rather waits for a free connection than fails.
_PATIENCE: Final = 3600.0


class S3TreeFile:
    """An object from its first byte to its last; a cut connection is only a pause."""

    def __init__(self, stream: S3Stream, size: int) -> None:
        self._stream = stream
        self.size = size
        """In bytes, when it was opened."""

    def chunks(self) -> Iterator[bytes]:
        """Its bytes. Raises: ObjectLost when it is deleted or replaced by one of another size, Unavailable."""
        return iter(lambda: self._stream.read(MIB), b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


class S3Tree:
    """What lies below the prefix of a bucket. Any thread may ask. Every method raises: Unavailable."""

    def __init__(self, settings: S3Settings) -> None:
        """`settings.prefix` is empty or ends with a slash."""
        self._settings = settings
        self._client = new_client(settings)
        self._calls = BoundedSemaphore(settings.concurrency)
        self._bucket = Bucket(settings)
        self._readers = Readers(self._bucket, BoundedSemaphore(settings.readers), _PATIENCE)

    def names(self, path: str) -> list[str]:
        """Files and folders of one folder, sorted; nothing when there is no such folder."""
        folder = self._settings.prefix + (f"{path}{_SLASH}" if path else "")
        found: set[str] = set()
        for page in self._pages(folder):
            found.update(each["Prefix"][len(folder) :].rstrip(_SLASH) for each in page.get("CommonPrefixes", ()))
            found.update(each["Key"][len(folder) :] for each in page.get("Contents", ()))
        # Some tools keep an object for the folder itself.
        return sorted(found - {""})

    def begins(self, path: str, most: int) -> bytes | None:
        """The first bytes of a file, `most` of them where it has more; None when there is none."""
        try:
            return self._readers.part(path, 0, most)
        except ObjectLost:
            return None

    def open(self, path: str) -> S3TreeFile | None:
        """None when there is no such file."""
        found = self._bucket.head(path)
        if found is None:
            return None
        try:
            return S3TreeFile(self._readers.open(path, 0), found[0])
        except ObjectLost:
            return None

    def _pages(self, folder: str) -> Iterator[dict[str, Any]]:
        asked = {"Bucket": self._settings.bucket, "Prefix": folder, "Delimiter": _SLASH}
        pages = iter(self._client.get_paginator("list_objects_v2").paginate(**asked))
        while True:
            with self._calls, translated(folder):
                page = next(pages, None)
            if page is None:
                return
            yield page
