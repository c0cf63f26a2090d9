"""Upload sessions: what is acknowledged, what is given back, and what a blob is in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from registry.core.facts import SMALL, HashState
from registry.core.ports import Hash
from registry.metadata.uploads import Uploads
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid, StorageFull, UploadTakenOver, UploadUnknown
from registry.storage.hashing import HashlibHashes
from registry.storage.memory import MemoryReceiver
from registry.storage.receiver import FileReceiver
from tests.unit.core.conftest import Clock
from tests.unit.core.house import APP, OTHER, House

BIG = bytes(range(256)) * 32


def session_row(house: House, uuid: str) -> tuple[int, str, str, bytes | None]:
    query = 'SELECT "offset", algorithm, hash_format, hash_state FROM upload WHERE uuid = ?'
    offset, algorithm, form, state = house.rows(query, uuid)[0]
    return offset, algorithm, form, state


# In one piece, in many


@pytest.mark.parametrize("content", [b"", b"x", bytes(SMALL), bytes(SMALL + 1), BIG], ids=len)
@pytest.mark.parametrize("at_once", [True, False], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob_is_the_bytes_that_came(house: House, content: bytes, at_once: bool, algorithm: str) -> None:
    digest, pieces = Digest.of(content, algorithm), [content] if at_once else [bytes([each]) for each in content]
    reception = house.receive(house.begin(), digest)
    reception.append(pieces)
    reception.commit(digest, house.admin)
    assert house.content(digest) == content
    blob = house.serves(digest)
    assert blob is not None
    # Small ones are rows, others objects; what a row holds needs no object any more.
    assert (blob.content is None, house.states()) == ((True, ["live"]) if len(content) > SMALL else (False, ["doomed"]))


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_session_goes_on_after_a_crash_whatever_its_algorithm(house: House, algorithm: str) -> None:
    uuid = house.uploads.begin(APP, house.admin, algorithm)
    for start in range(0, len(BIG), 3000):
        reception = house.receive(uuid)
        assert reception.offset == start
        reception.append([BIG[start : start + 3000]])
        reception.acknowledge()
        reception.append([b"not acknowledged"])
        house.crash()
    house.receive(uuid).commit(Digest.of(BIG, algorithm), house.admin)
    assert house.content(Digest.of(BIG, algorithm)) == BIG


def test_a_digest_that_is_known_only_at_the_end_is_reckoned_then(house: House) -> None:
    uuid = house.begin()
    reception = house.receive(uuid)
    reception.append([BIG])
    reception.acknowledge()
    assert session_row(house, uuid)[1] == "sha256"
    house.receive(uuid).commit(Digest.of(BIG, "sha512"), house.admin)
    assert house.content(Digest.of(BIG, "sha512")) == BIG
    assert house.serves(Digest.of(BIG)) is None


def test_a_digest_that_is_known_from_the_first_byte_decides_what_is_hashed(house: House) -> None:
    uuid, digest = house.begin(), Digest.of(BIG, "sha512")
    reception = house.receive(uuid, digest)
    reception.append([BIG])
    reception.acknowledge()
    assert session_row(house, uuid)[1] == "sha512"
    house.receive(uuid, Digest.of(BIG)).commit(Digest.of(BIG), house.admin)
    assert house.content(Digest.of(BIG)) == BIG


class Foreign:
    """What another machine's library may have saved."""

    def __init__(self, inner: Hash) -> None:
        self.update, self.hexdigest, self._save = inner.update, inner.hexdigest, inner.save

    def save(self) -> HashState:
        return replace(self._save(), format="foreign")


@pytest.mark.parametrize("kind", ["without saving", "foreign"])
def test_a_hash_that_cannot_be_taken_up_is_reckoned_again(
    house: House, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "foreign":
        new = house.hashes.new
        monkeypatch.setattr(type(house.hashes), "new", lambda _, algorithm: Foreign(new(algorithm)))
    else:
        house.hashes = HashlibHashes()
        house.crash()
    uuid = house.begin()
    for part in (BIG[:5000], BIG[5000:], b""):
        reception = house.receive(uuid)
        reception.append([part])
        reception.acknowledge()
    house.receive(uuid).commit(Digest.of(BIG), house.admin)
    assert house.content(Digest.of(BIG)) == BIG


# What goes wrong


def test_a_wrong_digest_costs_the_requests_bytes_and_not_the_session(house: House) -> None:
    uuid = house.begin()
    reception = house.receive(uuid)
    reception.append([b"kept "])
    reception.acknowledge()
    wrong = house.receive(uuid)
    wrong.append([b"and more"])
    with pytest.raises(DigestInvalid) as refusal:
        wrong.commit(Digest.of(b"something else"), house.admin)
    assert refusal.value.detail["computed"] == str(Digest.of(b"kept and more"))
    assert house.uploads.offset(APP, uuid, house.admin) == 5
    right = house.receive(uuid)
    right.append([b"this"])
    right.commit(Digest.of(b"kept this"), house.admin)
    assert house.content(Digest.of(b"kept this")) == b"kept this"
    assert house.serves(Digest.of(b"kept and more")) is None


def test_a_full_store_costs_the_requests_bytes_and_not_the_session(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = house.begin()
    reception = house.receive(uuid)
    reception.append([b"kept "])
    reception.acknowledge()
    full = house.receive(uuid)
    full.append([b"fits "])
    (key,) = house.rows("SELECT key FROM object")[0]

    def no_room(*_: object) -> bool:
        raise StorageFull

    with monkeypatch.context() as patch:
        for receiver in (MemoryReceiver, FileReceiver):
            patch.setattr(receiver, "append", no_room)
        with pytest.raises(StorageFull):
            full.append([b"does not"])
    session = house.metadata.observe(lambda tx: tx.uploads.find(APP, uuid))
    assert session is not None
    assert session.key is not None
    # Given back at once, not when somebody comes to go on.
    assert (session.key.text, house.store.size(session.key), session.offset) == (key, 5, 5)
    again = house.receive(uuid)
    again.append([b"this"])
    again.commit(Digest.of(b"kept this"), house.admin)
    assert house.content(Digest.of(b"kept this")) == b"kept this"


def test_a_failed_sync_is_never_repeated_the_session_dies_of_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = house.begin()
    reception = house.receive(uuid)
    reception.append([BIG])
    reception.acknowledge()

    def no_room(*_: object) -> None:
        raise StorageFull

    with monkeypatch.context() as patch:
        patch.setattr(type(reception._receiver), "seal", no_room)
        with pytest.raises(StorageFull):
            house.receive(uuid).commit(Digest.of(BIG), house.admin)
    # What the kernel could not write, it may have let go of: a second sync would tell nothing (design §2).
    assert house.serves(Digest.of(BIG)) is None
    with pytest.raises(UploadUnknown):
        house.receive(uuid)
    assert house.states() == ["doomed"]


def test_a_database_without_room_leaves_the_session_as_it_was(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = house.begin()
    reception = house.receive(uuid)
    reception.append([BIG])
    reception.acknowledge()

    def no_room(*_: object, **__: object) -> bool:
        raise StorageFull

    with monkeypatch.context() as patch:
        patch.setattr(Uploads, "finish", no_room)
        with pytest.raises(StorageFull):
            house.receive(uuid).commit(Digest.of(BIG), house.admin)
    assert house.serves(Digest.of(BIG)) is None
    house.receive(uuid).commit(Digest.of(BIG), house.admin)
    assert house.content(Digest.of(BIG)) == BIG


# The ends of a session


def test_a_finished_session_answers_again_and_takes_nothing_more(house: House) -> None:
    uuid = house.begin()
    reception = house.receive(uuid)
    reception.append([BIG])
    reception.commit(Digest.of(BIG), house.admin)
    assert house.uploads.finished(APP, uuid, house.admin) == Digest.of(BIG)
    assert house.uploads.finished(OTHER, uuid, house.admin) is None
    assert house.uploads.finished(APP, uuid, house.residents.open) is None
    assert house.uploads.peek(APP, uuid, house.admin) is None
    for closed in (
        lambda: house.receive(uuid),
        lambda: house.uploads.offset(APP, uuid, house.admin),
        lambda: house.uploads.cancel(APP, uuid, house.admin),
        lambda: house.uploads.put_small(APP, uuid, house.admin, Digest.of(b"x"), b"x"),
    ):
        with pytest.raises(UploadUnknown):
            closed()
    assert house.content(Digest.of(BIG)) == BIG


def test_who_committed_cannot_append_to_what_is_served_by_now(house: House) -> None:
    reception = house.receive(house.begin())
    reception.append([BIG])
    reception.commit(Digest.of(BIG), house.admin)
    with pytest.raises(UploadTakenOver):
        reception.append([b"more"])
    reception.give_back()
    assert house.content(Digest.of(BIG)) == BIG


def test_a_cancelled_session_is_gone_and_its_object_doomed(house: House) -> None:
    uuid = house.begin()
    house.receive(uuid).append([BIG])
    house.uploads.cancel(APP, uuid, house.admin)
    assert house.states() == ["doomed"]
    with pytest.raises(UploadUnknown):
        house.receive(uuid)


@pytest.mark.parametrize("ask", ["offset", "cancel"])
def test_a_session_is_bound_to_its_repository_and_its_principal(house: House, ask: str) -> None:
    uuid = house.begin()
    for name, caller in ((OTHER, house.admin), (APP, house.residents.open), (APP, house.residents.anonymous)):
        with pytest.raises(UploadUnknown):
            getattr(house.uploads, ask)(name, uuid, caller)
        assert house.uploads.peek(name, uuid, caller) is None
    assert house.uploads.peek(APP, uuid, house.admin) == 0


def test_acknowledging_puts_off_the_expiry(house: House, clock: Clock) -> None:
    uuid = house.begin()
    reception = house.receive(uuid)
    clock.turn(house.expiry - timedelta(seconds=1))
    reception.acknowledge()
    clock.turn(house.expiry - timedelta(seconds=1))
    assert house.sweeper.run().sessions == 0
    assert house.uploads.offset(APP, uuid, house.admin) == 0


# Small ones


def test_a_small_blob_that_came_whole_needs_no_object(house: House) -> None:
    uuid = house.begin()
    assert house.uploads.put_small(APP, uuid, house.admin, Digest.of(b"small"), b"small")
    assert house.uploads.finished(APP, uuid, house.admin) == Digest.of(b"small")
    assert (house.content(Digest.of(b"small")), house.states()) == (b"small", [])


def test_a_session_that_has_bytes_goes_on_as_it_began(house: House) -> None:
    uuid = house.begin()
    reception = house.receive(uuid)
    reception.append([b"bytes"])
    assert not house.uploads.put_small(APP, uuid, house.admin, Digest.of(b"small"), b"small")
    reception.acknowledge()
    assert not house.uploads.put_small(APP, uuid, house.admin, Digest.of(b"small"), b"small")
    assert house.serves(Digest.of(b"small")) is None


@pytest.mark.parametrize("in_session", [True, False])
def test_a_small_blob_has_the_digest_that_it_claims(house: House, in_session: bool) -> None:
    uuid = house.begin() if in_session else None
    with pytest.raises(DigestInvalid):
        house.uploads.put_small(APP, uuid, house.admin, Digest.of(b"other"), b"small")
    assert house.serves(Digest.of(b"other")) is None
    assert house.uploads.put_small(APP, uuid, house.admin, Digest.of(b"small", "sha512"), b"small")
    assert house.content(Digest.of(b"small", "sha512")) == b"small"


def test_pushing_again_heals_and_the_former_object_is_doomed(house: House) -> None:
    digest = house.push_blob(BIG, large=True)
    blob = house.serves(digest)
    assert blob is not None
    assert blob.key is not None
    house.blobs.mark_damaged(APP, digest, blob.key, house.admin)
    assert house.serves(digest) is None
    house.push_blob(BIG, OTHER, large=True)
    assert house.content(digest) == BIG
    assert house.states() == ["doomed", "live"]


def test_a_request_for_a_session_that_is_gone_does_not_write_into_the_next_one(house: House) -> None:
    gone = house.begin()
    late = house.receive(gone)
    house.uploads.cancel(APP, gone, house.admin)
    # A database may give the next row the same id.
    uuid = house.begin()
    reception = house.receive(uuid)
    with pytest.raises(UploadTakenOver):
        late.append([b"late"])
    with pytest.raises(UploadTakenOver):
        late.acknowledge()
    assert reception.acknowledge() == 0
    assert house.uploads.peek(APP, uuid, house.admin) == 0
