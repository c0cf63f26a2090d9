"""One session, two requests: the later one has it, and the earlier one never writes, acknowledges or commits again."""

from __future__ import annotations

import pytest

from registry.core.ports import ObjectLost
from registry.oci.digest import Digest
from registry.oci.errors import ChunkOutOfOrder, UploadTakenOver, UploadUnknown
from registry.oci.ranges import Span
from tests.unit.core.house import APP, House

BIG = bytes(range(256)) * 32
# Whichever of the two is noticed first: the client is gone, and the answer to nobody.
GONE = UploadTakenOver, UploadUnknown


def test_what_was_not_acknowledged_is_cut_off_by_the_next_request(house: House) -> None:
    uuid = house.begin()
    first = house.receive(uuid)
    first.append([b"kept "])
    assert first.acknowledge() == 5
    first.append([b"lost"])
    second = house.receive(uuid)
    assert second.offset == 5
    second.append([b"new"])
    second.commit(Digest.of(b"kept new"), house.admin)
    assert house.content(Digest.of(b"kept new")) == b"kept new"


def test_a_stale_request_writes_nothing_more(house: House) -> None:
    uuid = house.begin()
    stale = house.receive(uuid)
    stale.append([b"before"])
    fresh = house.receive(uuid)
    with pytest.raises(UploadTakenOver):
        stale.append([b"after"])
    stale.give_back()
    fresh.append([b"bytes"])
    with pytest.raises(UploadTakenOver):
        stale.append([b"after"])
    stale.give_back()
    fresh.commit(Digest.of(b"bytes"), house.admin)
    assert house.content(Digest.of(b"bytes")) == b"bytes"


def test_a_stale_request_acknowledges_nothing(house: House) -> None:
    uuid = house.begin()
    stale = house.receive(uuid)
    stale.append([b"before"])
    house.receive(uuid)
    with pytest.raises(UploadTakenOver):
        stale.acknowledge()
    assert house.uploads.offset(APP, uuid, house.admin) == 0


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("content", [b"small", BIG], ids=["small", "big"])
def test_a_stale_request_commits_nothing(house: House, content: bytes, algorithm: str) -> None:
    uuid, digest = house.begin(), Digest.of(content, algorithm)
    stale = house.receive(uuid)
    stale.append([content])
    house.receive(uuid)
    with pytest.raises(GONE):
        stale.commit(digest, house.admin)
    assert house.serves(digest) is None
    assert house.uploads.finished(APP, uuid, house.admin) is None
    # And takes nothing from who has the session.
    assert house.uploads.peek(APP, uuid, house.admin) == 0


def test_asking_for_the_offset_cuts_off_who_is_still_sending(house: House) -> None:
    uuid = house.begin()
    sending = house.receive(uuid)
    sending.append([b"half"])
    assert house.uploads.offset(APP, uuid, house.admin) == 0
    with pytest.raises(UploadTakenOver):
        sending.append([b"more"])


def test_peeking_disturbs_nobody(house: House) -> None:
    uuid = house.begin()
    sending = house.receive(uuid)
    sending.append([b"half"])
    assert house.uploads.peek(APP, uuid, house.admin) == 0
    sending.append([b" more"])
    assert sending.acknowledge() == 9
    assert house.uploads.peek(APP, uuid, house.admin) == 9


def test_a_chunk_that_cannot_be_taken_disturbs_nobody(house: House) -> None:
    uuid = house.begin()
    sending = house.receive(uuid)
    sending.append([b"half"])
    with pytest.raises(ChunkOutOfOrder):
        house.uploads.receive(APP, uuid, house.admin, Span(4, 1))
    sending.append([b" more"])
    assert sending.acknowledge() == 9
    house.uploads.receive(APP, uuid, house.admin, Span(9, 1)).close()


def test_what_is_ended_under_a_request_is_ended_for_it(house: House) -> None:
    uuid = house.begin()
    sending = house.receive(uuid)
    sending.append([BIG])
    house.uploads.cancel(APP, uuid, house.admin)
    with pytest.raises(UploadTakenOver):
        sending.append([b"more"])
    with pytest.raises(UploadTakenOver):
        sending.acknowledge()
    with pytest.raises(UploadTakenOver):
        sending.commit(Digest.of(BIG), house.admin)
    assert house.states() == ["doomed"]


def test_what_is_ended_and_swept_under_a_request_is_ended_for_it(house: House) -> None:
    uuid = house.begin()
    sending = house.receive(uuid)
    sending.append([BIG])
    house.uploads.cancel(APP, uuid, house.admin)
    house.sweeper.run()
    with pytest.raises(GONE):
        sending.commit(Digest.of(BIG), house.admin)
    assert house.states() == []


def test_a_session_whose_bytes_are_lost_ends_and_its_object_is_doomed(house: House) -> None:
    uuid = house.begin()
    first = house.receive(uuid)
    first.append([b"bytes"])
    first.acknowledge()
    first.close()
    (key,) = house.rows("SELECT key FROM object")[0]
    session = house.metadata.observe(lambda tx: tx.uploads.find(APP, uuid))
    assert session is not None
    assert session.key is not None
    assert session.key.text == key
    house.store.delete([session.key])
    with pytest.raises(UploadUnknown):
        house.receive(uuid)
    assert house.uploads.peek(APP, uuid, house.admin) is None
    # An object that nobody names and nobody dooms would never leave the disk.
    assert house.states() == ["doomed"]


def test_bytes_that_are_lost_before_they_are_hashed_again_end_the_session_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = house.begin()
    first = house.receive(uuid)
    first.append([BIG])
    first.acknowledge()
    house.metadata._writer.execute("UPDATE upload SET hash_format = 'foreign'")

    def lost(key: object) -> None:
        raise ObjectLost(str(key))

    second = house.receive(uuid)
    monkeypatch.setattr(type(house.store), "open", lambda _, key: lost(key))
    with pytest.raises(UploadUnknown):
        second.commit(Digest.of(BIG), house.admin)
    assert house.states() == ["doomed"]
