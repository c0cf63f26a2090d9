"""One bucket, or what lies below a prefix of it: the calls we make, each within a bound."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from threading import BoundedSemaphore
from typing import Any, Final

from registry.core.ports import ObjectLost
from registry.oci.errors import Unavailable
from registry.storage.s3_client import S3Settings, new_client, translated

_MOST_DELETED: Final = 1000
"""Keys of one DeleteObjects."""


class Bucket:
    """Keys are ours: what lies in front of them in the bucket is added here and nowhere else."""

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._client = new_client(settings)
        self._calls = BoundedSemaphore(settings.concurrency)

    def call(self, verb: str, key: str, **arguments: object) -> dict[str, Any]:
        """One call, waiting while too many others are under way. Raises: see `translated`."""
        with self._calls:
            return self.call_at_once(verb, key, **arguments)

    def call_at_once(self, verb: str, key: str, **arguments: object) -> dict[str, Any]:
        """The same for who has a bound of its own."""
        with translated(key):
            # Before a retry of anything the body is read again, so none of ours is a stream.
            result: dict[str, Any] = getattr(self._client, verb)(
                Bucket=self._settings.bucket, Key=self._settings.prefix + key, **arguments
            )
        return result

    def put(self, key: str, content: bytes | bytearray, *, is_new: bool = False) -> None:
        """Whole or not at all. Raises: AlreadyThere when it `is_new` and the key has an object; the others."""
        condition = {"IfNoneMatch": "*"} if is_new else {}
        self.call("put_object", key, Body=content, **condition, **self._settings.encryption)

    def get(self, key: str) -> bytes:
        """All of a small object. Raises: ObjectLost."""
        with self._calls, translated(key):
            answer = self._client.get_object(Bucket=self._settings.bucket, Key=self._settings.prefix + key)
            content: bytes = answer["Body"].read()
        return content

    def head(self, key: str) -> tuple[int, str] | None:
        """Size in bytes and entity tag."""
        try:
            answer = self.call("head_object", key)
        except ObjectLost:
            # The answer to a HEAD has no body to tell a missing object from a missing bucket.
            self._refuse_missing_bucket()
            return None
        return int(answer["ContentLength"]), str(answer["ETag"]).strip('"')

    def url(self, key: str, seconds: int) -> str:
        """Where anybody may GET the object for so long; signed here, without a call."""
        parameters = {"Bucket": self._settings.bucket, "Key": self._settings.prefix + key}
        with translated(key):
            return str(self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds))

    def delete(self, keys: Iterable[str]) -> None:
        """Those that are not there are no error."""
        full = (self._settings.prefix + key for key in keys)
        while batch := list(itertools.islice(full, _MOST_DELETED)):
            request = {"Quiet": True, "Objects": [{"Key": key} for key in batch]}
            with self._calls, translated(batch[0]):
                answer = self._client.delete_objects(Bucket=self._settings.bucket, Delete=request)
            if failed := [each for each in answer.get("Errors", ()) if each.get("Code") != "NoSuchKey"]:
                raise Unavailable from OSError(f"the store kept {len(failed)} objects, one for {failed[0].get('Code')}")

    def delete_under(self, prefix: str) -> None:
        """Every object whose key begins so."""
        self.delete(self.keys(prefix))

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin so."""
        return (key for page in self.listing(prefix) for key, _, _ in page)

    def listing(self, prefix: str) -> Iterator[list[tuple[str, int, datetime]]]:
        """The keys that begin so, with size and last change, a thousand at a time."""
        for page in self._pages("list_objects_v2", prefix):
            yield [
                (self._ours(each), int(each.get("Size", 0)), each["LastModified"]) for each in page.get("Contents", ())
            ]

    def multipart_listing(self, prefix: str) -> Iterator[list[tuple[str, str, datetime]]]:
        """The multipart uploads under way for keys that begin so: key, id, when each was begun."""
        for page in self._pages("list_multipart_uploads", prefix):
            yield [(self._ours(each), str(each["UploadId"]), each["Initiated"]) for each in page.get("Uploads", ())]

    def uploads(self, key: str) -> list[str]:
        """The multipart uploads under way for exactly this key."""
        return [upload for page in self.multipart_listing(key) for found, upload, _ in page if found == key]

    @property
    def patience(self) -> float:
        """Seconds to wait for the next byte of an answer."""
        return self._settings.read_timeout

    @property
    def encryption(self) -> dict[str, str]:
        """What a multipart upload is begun with."""
        return self._settings.encryption

    def _ours(self, listed: Mapping[str, Any]) -> str:
        return str(listed["Key"])[len(self._settings.prefix) :]

    def _pages(self, verb: str, prefix: str) -> Iterator[dict[str, Any]]:
        paginator = self._client.get_paginator(verb)
        with translated(prefix):
            pages = iter(paginator.paginate(Bucket=self._settings.bucket, Prefix=self._settings.prefix + prefix))
        while True:
            with self._calls, translated(prefix):
                page = next(pages, None)
            if page is None:
                return
            yield page

    def _refuse_missing_bucket(self) -> None:
        """Raises: Unavailable."""
        try:
            with self._calls, translated(self._settings.bucket):
                self._client.head_bucket(Bucket=self._settings.bucket)
        except ObjectLost as error:
            raise Unavailable from error
