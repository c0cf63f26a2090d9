"""`registry.core.fsck_run` on what only S3 has: tails, and multipart uploads that may still be gone on with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from registry.core.facts import ObjectKey
from registry.oci.digest import Digest
from registry.storage.layout import new_key, new_tail
from registry.storage.s3_bucket import Bucket
from registry.storage.s3_multipart import Multipart
from tests.support.s3 import S3Server, s3_server
from tests.unit.core.fsck_site import LEFT, REPAIRED, Site, site
from tests.unit.core.house import APP

__all__ = ["s3_server"]  # a fixture, taken in by name

DATA = bytes(range(256)) * 40
LARGE = bytes(9 << 20)
ALL = {"read": True, "repair": True, "adopt": True, "delete": True}


@pytest.fixture(params=["sqlite-s3", "postgresql-s3"])
def here(request: pytest.FixtureRequest, s3_server: S3Server) -> Iterator[Site]:
    with site(request.param, lambda: s3_server) as here:
        yield here


@pytest.fixture
def bucket(here: Site) -> Bucket:
    assert here.bucket is not None
    return here.bucket


def begin(bucket: Bucket, key: ObjectKey) -> str:
    """A multipart upload with a part."""
    multipart = Multipart(bucket, key.text)
    upload = multipart.begin()
    multipart.send(upload, 1, b"part")
    return upload


def receiving(here: Site) -> ObjectKey:
    ((key,),) = here.execute("SELECT key FROM object WHERE state = 'receiving'")
    return ObjectKey(key)


def test_a_tail_of_nobody_is_left_to_the_sweeper(here: Site, bucket: Bucket) -> None:
    digest = here.push(DATA)
    tails = [here.put(b"tail", new_tail(key)) for key in (here.key(digest), new_key())]
    assert here.found() == {"unknown-tail": f"2 {LEFT}"}
    assert here.found(delete=True) == {"unknown-tail": f"2 {REPAIRED}"}
    assert here.found() == {}
    here.sweeper.run()
    assert [bucket.head(tail) for tail in tails] == [None, None]
    assert here.pulls(digest) == DATA


def test_the_tails_of_a_session_are_its_own_and_an_old_one_ends_with_it(here: Site, bucket: Bucket) -> None:
    uuid = here.send(b"one")
    here.send(b"two", uuid)
    here.put(b"of an earlier request", new_tail(receiving(here)))
    assert here.found(**ALL) == {}
    here.commit(uuid, Digest.of(b"onetwo"))
    assert here.found(**ALL) == {}
    here.sweeper.run()
    assert list(bucket.keys("uploads/")) == []


def test_a_multipart_upload_without_a_row_is_left_to_the_sweeper(here: Site, bucket: Bucket) -> None:
    key = new_key()
    begin(bucket, key)
    assert here.found() == {"unknown-multipart": LEFT}
    assert here.found(delete=True) == {"unknown-multipart": REPAIRED}
    here.sweeper.run()
    assert bucket.uploads(key.text) == []
    assert here.found() == {}


def test_a_multipart_upload_behind_a_live_object_is_aborted_and_the_object_stays(here: Site, bucket: Bucket) -> None:
    digest = here.push(LARGE)
    begin(bucket, here.key(digest))
    assert here.found(delete=True) == {"unknown-multipart": REPAIRED}
    assert bucket.uploads(here.key(digest).text) == []
    assert here.pulls(digest) == LARGE


def test_a_session_goes_on_with_the_upload_that_it_noted_and_loses_only_another(here: Site, bucket: Bucket) -> None:
    uuid = here.send(LARGE)
    key = receiving(here)
    (own,) = bucket.uploads(key.text)
    other = begin(bucket, key)
    assert sorted(bucket.uploads(key.text)) == sorted([own, other])
    assert here.found(**ALL) == {"unknown-multipart": REPAIRED}
    assert bucket.uploads(key.text) == [own]
    here.send(LARGE, uuid)
    here.commit(uuid, Digest.of(LARGE * 2))
    assert here.pulls(Digest.of(LARGE * 2)) == LARGE * 2


def test_an_upload_that_its_session_has_not_noted_yet_may_be_the_one(here: Site, bucket: Bucket) -> None:
    _, reception = here.receive()
    reception.append([LARGE])
    begin(bucket, receiving(here))
    assert here.found(**ALL) == {}
    reception.commit(Digest.of(LARGE), here.admin)
    reception.close()
    assert here.pulls(Digest.of(LARGE)) == LARGE
    assert bucket.uploads(here.key(Digest.of(LARGE)).text) == []


def test_a_cancelled_session_takes_everything_of_its_own_along(here: Site, bucket: Bucket) -> None:
    uuid = here.send(LARGE + b"tail")
    here.uploads.cancel(APP, uuid, here.admin)
    assert here.found(**ALL) == {}
    here.sweeper.run()
    assert [list(page) for page in here.inventory.pages() if page] == []
