"""Sweeping a bucket: with a session that expires go its multipart upload and its tail, and the rows last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from registry.core.sweep import Swept
from registry.oci.errors import Unavailable
from registry.storage.s3_bucket import Bucket
from tests.support.s3 import S3Server, s3_server
from tests.unit.core.fsck_site import Site, site

__all__ = ["s3_server"]  # a fixture, taken in by name

LARGE = bytes(6 << 20)


@pytest.fixture
def here(s3_server: S3Server) -> Iterator[Site]:
    with site("sqlite-s3", lambda: s3_server) as here:
        yield here


def left(bucket: Bucket | None) -> tuple[list[str], list[str]]:
    """Keys, and those of multipart uploads under way."""
    assert bucket is not None
    begun = [key for page in bucket.multipart_listing("blobs/") for key, _, _ in page]
    return [*bucket.keys("blobs/"), *bucket.keys("uploads/")], begun


def test_of_an_expired_session_nothing_is_left_in_the_bucket(here: Site) -> None:
    here.send(b"and a tail", here.send(LARGE))
    keys, begun = left(here.bucket)
    assert (len(keys), len(begun)) == (1, 1)
    assert here.sweeper.run() == Swept(0, 0)
    here.execute("UPDATE upload SET expires_at = 1")
    assert here.sweeper.run() == Swept(1, 1)
    assert left(here.bucket) == ([], [])
    assert here.states() == []


def test_what_the_store_keeps_is_tried_again(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        here.send(b"session %d" % number)
    here.execute("UPDATE upload SET expires_at = 1")

    def keep(_bucket: Bucket, _prefix: str) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "delete_under", keep)
        with pytest.raises(Unavailable):
            here.sweeper.run()
    assert here.states() == ["doomed"] * 3
    assert here.sweeper.run() == Swept(0, 3)
    assert left(here.bucket) == ([], [])
