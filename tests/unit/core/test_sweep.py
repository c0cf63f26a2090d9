"""Sweeping: what is over is ended, what nobody names leaves the store, and a sweep that dies is done again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from registry.core import sweep
from registry.core.facts import ObjectKey
from registry.core.ports import ObjectStore
from registry.core.sweep import Swept
from registry.metadata.objects import Objects
from registry.oci.digest import Digest
from registry.oci.errors import Unavailable, UploadTakenOver
from registry.storage.memory import MemoryStore
from tests.unit.core.conftest import Clock
from tests.unit.core.house import APP, House

BIG = bytes(9000)
SECOND = timedelta(seconds=1)


def stored(house: House) -> int:
    """How many objects the store holds, whatever the rows say."""
    objects = getattr(house.store, "_objects", None)
    return len(objects) if objects is not None else sum(each.is_file() for each in house.folder.glob("blobs/*/*"))


def test_an_idle_session_ends_when_its_time_has_come(house: House, clock: Clock) -> None:
    uuid = house.begin()
    sending = house.receive(uuid)
    sending.append([BIG])
    clock.turn(house.expiry - SECOND)
    assert house.sweeper.run() == Swept(0, 0)
    clock.turn(SECOND)
    assert house.sweeper.run() == Swept(1, 1)
    assert (house.uploads.peek(APP, uuid, house.admin), stored(house), house.states()) == (None, 0, [])
    with pytest.raises(UploadTakenOver):
        sending.append([BIG])


def test_a_finished_session_is_kept_an_hour_and_its_blob_for_good(house: House, clock: Clock) -> None:
    uuid = house.begin()
    reception = house.receive(uuid)
    reception.append([BIG])
    reception.commit(Digest.of(BIG), house.admin)
    clock.turn(timedelta(hours=1) - SECOND)
    house.sweeper.run()
    assert house.uploads.finished(APP, uuid, house.admin) == Digest.of(BIG)
    clock.turn(SECOND)
    assert house.sweeper.run() == Swept(1, 0)
    assert house.uploads.finished(APP, uuid, house.admin) is None
    assert house.content(Digest.of(BIG)) == BIG


def test_a_doomed_object_stays_for_who_may_be_reading_it(house: House, clock: Clock) -> None:
    house.delete_delay = timedelta(minutes=10)
    house.crash()
    for _ in range(2):
        house.push_blob(BIG, large=True)
    clock.turn(house.delete_delay - SECOND)
    assert house.sweeper.run() == Swept(0, 0)
    assert stored(house) == 2
    clock.turn(SECOND)
    assert house.sweeper.run() == Swept(0, 1)
    assert (stored(house), house.states()) == (1, ["live"])
    assert house.content(Digest.of(BIG)) == BIG


def test_a_sweep_that_died_between_the_object_and_its_row_is_done_again(
    house: House, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.uploads.cancel(APP, cancelled(house), house.admin)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "forget", die)
        with pytest.raises(KeyboardInterrupt):
            house.sweeper.run()
    assert (stored(house), house.states()) == (0, ["doomed"])
    house.crash()
    # The dead one's lease has to end first.
    clock.turn(house.sweeper.tenure.span)
    assert house.sweeper.run() == Swept(0, 1)
    assert house.states() == []


def test_a_store_that_fails_keeps_the_row(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.uploads.cancel(APP, cancelled(house), house.admin)

    def fail(*_: object) -> None:
        raise OSError("the disk is absent")

    with monkeypatch.context() as patch:
        patch.setattr(type(house.store), "delete", fail)
        with pytest.raises(OSError, match="absent"):
            house.sweeper.run()
    assert house.states() == ["doomed"]
    assert house.sweeper.run() == Swept(0, 1)


def test_one_object_that_the_store_does_not_let_go_keeps_no_other(
    house: House, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_MOST_DELETED", 3)
    for _ in range(8):
        house.push_blob(BIG, large=True)
    clock.turn(house.delete_delay)
    doomed = house.metadata.observe(lambda tx: tx.objects.doomed(tx.now, 10))
    stuck, delete = doomed[1][1], type(house.store).delete

    def keep(store: ObjectStore, keys: Iterable[ObjectKey]) -> None:
        wanted = list(keys)
        delete(store, (each for each in wanted if each != stuck))
        if stuck in wanted:
            raise OSError("not this one")

    with monkeypatch.context() as patch:
        patch.setattr(type(house.store), "delete", keep)
        for _ in range(2):
            with pytest.raises(OSError, match="not this one"):
                house.sweeper.run()
            assert (house.states(), stored(house)) == (["doomed", "live"], 2)
    assert house.sweeper.run() == Swept(0, 1)


def test_a_store_that_lets_nothing_go_is_not_asked_for_long(
    house: House, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(33):
        house.push_blob(BIG, large=True)
    clock.turn(house.delete_delay)
    asked = list[int]()

    def fail(_: ObjectStore, keys: Iterable[ObjectKey]) -> None:
        asked.append(len(list(keys)))
        raise Unavailable

    monkeypatch.setattr(type(house.store), "delete", fail)
    with pytest.raises(Unavailable):
        house.sweeper.run()
    assert asked.count(1) == 5
    assert len(asked) < 20
    assert house.states().count("doomed") == 32


def test_everything_that_is_due_goes_batch_by_batch(
    house: House, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_BATCH", 2)
    for _ in range(5):
        cancelled(house)
    house.push_blob(BIG, large=True)
    clock.turn(house.expiry)
    assert house.sweeper.run() == Swept(6, 5)
    assert (house.states(), stored(house)) == (["live"], 1)


def cancelled(house: House) -> str:
    """A session with bytes, to be ended."""
    uuid = house.begin()
    reception = house.receive(uuid)
    reception.append([BIG])
    reception.close()
    return uuid


def test_many_objects_go_by_the_batch_and_it_gives_way_between(
    house: House, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_MOST_DELETED", 3)
    monkeypatch.setattr(sweep, "_BATCH", 2)
    for _ in range(6):
        house.push_blob(BIG, large=True)
    clock.turn(house.delete_delay)
    left: list[int] = []
    sweeper = replace(house.sweeper, rest=lambda: left.append(stored(house)))
    assert sweeper.run() == Swept(0, 5)
    # After each lot of rows, and after each batch.
    assert left == [3, 3, 3, 1, 1]
    assert stored(house) == 1


class Remote(MemoryStore):
    """A store that is not quick; it keeps how many objects it was told to delete at a time."""

    is_prompt = False  # type: ignore[misc]  # what the other is for good, this one is not

    def __init__(self) -> None:
        super().__init__()
        self.deleted: list[int] = []

    def delete(self, keys: Iterable[ObjectKey]) -> None:
        self.deleted.append(len(list(keys)))


def test_from_a_store_that_is_not_quick_fewer_go_at_a_time(
    house: House, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the lease would end before they are gone."""
    monkeypatch.setattr(sweep, "_BATCH", 2)
    for _ in range(6):
        house.push_blob(BIG, large=True)
    clock.turn(house.delete_delay)
    remote = Remote()
    assert replace(house.sweeper, store=remote).run() == Swept(0, 5)
    assert remote.deleted == [2, 2, 1]
