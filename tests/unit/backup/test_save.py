"""`registry.backup.save`: a backup is one instant of the registry, whatever happens meanwhile, or it is none."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from registry.backup.folder import BackupFolder, FolderUnfit, digest_of
from registry.backup.hold import Hold
from registry.core.facts import ObjectKey
from registry.core.leaving import Leaving
from registry.core.sweep import Swept
from registry.core.tenure import TenureLost
from registry.oci.digest import Digest
from tests.unit.backup.backups import INSTANCE, KEY, Watching, back_up, facts_in, key_of, objects_in, whole_in
from tests.unit.core.house import APP, House
from tests.unit.metadata.databases import rows

FIRST, SECOND, THIRD = (bytes([number]) * 9000 for number in (1, 2, 3))


class Killed(BaseException):
    """The process dies here."""


def test_a_backup_has_every_object_and_every_fact_and_says_so(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    house.push_blob(SECOND, large=True)
    house.push_image("v1", APP, b"small")
    watcher = Watching()
    report = back_up(house, place / "backup", watcher=watcher)
    whole = whole_in(place / "backup")
    assert (report.copied, report.copied_bytes, report.broken) == (2, 18_000, [])
    assert (whole.instance, whole.objects, whole.object_bytes, whole.broken) == (INSTANCE, 2, 18_000, 0)
    assert whole.counts == {"repositories": 1, "manifests": 1, "tags": 1, "blobs": 4}
    assert whole.facts_digest == digest_of(place / "backup" / whole.facts)
    assert facts_in(place / "backup", "SELECT name FROM tag") == [("v1",)]
    assert {path.read_bytes() for path in (place / "backup").glob("blobs/*/*")} == {FIRST, SECOND}
    assert (place / "backup" / "key").read_bytes() == KEY
    assert (watcher.begun, watcher.advanced) == ((2, 18_000), [9000, 9000])


def test_nobody_else_may_read_what_is_in_it(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    back_up(house, place / "backup")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (place / "backup").rglob("*") if path.is_file()}
    assert set(modes.values()) == {0o600}
    assert (place / "backup").stat().st_mode & 0o777 == 0o700


def test_the_facts_are_one_file_that_can_be_read_from_a_disk_that_cannot_be_written(house: House, place: Path) -> None:
    back_up(house, place / "backup")
    content = (place / "backup" / whole_in(place / "backup").facts).read_bytes()
    # The SQLite file format, section 1.3.3: 1 is the rollback journal, 2 a log beside the file.
    assert content[18:20] == b"\x01\x01"
    assert not list((place / "backup").glob("*.db-*"))


def test_the_next_backup_copies_what_is_new_and_removes_what_is_old(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    house.push_blob(SECOND, large=True)
    back_up(house, place / "backup")
    before = objects_in(place / "backup")
    former = whole_in(place / "backup").facts
    house.push_blob(FIRST, large=True)
    house.push_blob(THIRD, large=True)
    report = back_up(house, place / "backup")
    # The bytes that were pushed again came under another key.
    assert (report.copied, report.present, report.removed) == (2, 1, 1)
    assert len(objects_in(place / "backup") & before) == 2 - report.removed
    assert objects_in(place / "backup") == {key_of(house, each).text[-36:] for each in (FIRST, SECOND, THIRD)}
    assert not (place / "backup" / former).exists()


def test_what_earlier_backups_are_made_of_stays_on_demand(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    back_up(house, place / "backup")
    former, before = whole_in(place / "backup").facts, objects_in(place / "backup")
    house.push_blob(FIRST, large=True)
    assert back_up(house, place / "backup", keep=True).removed == 0
    assert (place / "backup" / former).exists()
    assert objects_in(place / "backup") > before


def test_an_object_that_is_there_in_its_size_is_not_read_again(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    back_up(house, place / "backup")
    read: list[ObjectKey] = []
    back_up(house, place / "backup", happens=read.append)
    assert read == []
    (path,) = (place / "backup").glob("blobs/*/*")
    path.write_bytes(FIRST[:-1])
    back_up(house, place / "backup", happens=read.append)
    assert len(read) == 1
    assert path.read_bytes() == FIRST


def test_a_key_file_that_is_left_out_is_not_left_over(house: House, place: Path) -> None:
    back_up(house, place / "backup")
    back_up(house, place / "backup", key=None)
    assert not (place / "backup" / "key").exists()
    assert not whole_in(place / "backup").has_key


def test_what_happens_meanwhile_is_no_part_of_it(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    house.push_image("v1", APP, b"early")

    def late(_: ObjectKey) -> None:
        house.push_image("late", APP, b"late")
        house.push_blob(SECOND, large=True)

    back_up(house, place / "backup", happens=late)
    assert facts_in(place / "backup", "SELECT name FROM tag") == [("v1",)]
    assert whole_in(place / "backup").objects == 1


def test_a_sweeper_in_a_hurry_takes_nothing_that_the_facts_name(house: House, place: Path) -> None:
    house.delete_delay = timedelta(0)
    for content in (FIRST, SECOND, THIRD):
        house.push_blob(content, large=True)
    swept: list[Swept] = []

    def sweep(_: ObjectKey) -> None:
        # Each is pushed again, so that the object which the facts name is doomed while the backup is at another.
        for content in (FIRST, SECOND, THIRD):
            house.push_blob(content, large=True)
        swept.append(house.sweeper.run())

    report = back_up(house, place / "backup", happens=sweep)
    assert swept == [Swept(0, 0)] * 3
    assert (report.copied, report.broken) == (3, [])
    # Given back, the lease is the sweeper's again.
    assert house.sweeper.run().objects == 9


def test_a_sweeper_that_slept_through_its_lease_takes_nothing_either(house: House, place: Path) -> None:
    """It has looked what there is to do, and comes back when a backup has the lease."""
    house.push_blob(FIRST, large=True)
    house.push_blob(SECOND, large=True)
    house.push_blob(SECOND, large=True)
    fence = house.sweeper.tenure.take()
    assert fence is not None
    # As if five minutes had passed.
    house.rows("UPDATE lease SET until = 0")
    woken: list[str] = []

    def wake(_: ObjectKey) -> None:
        house.push_blob(FIRST, large=True)
        with pytest.raises(TenureLost):
            # The very step that it slept before.
            house.sweeper._delete(Leaving(house.store), fence)
        woken.append("lost")

    report = back_up(house, place / "backup", happens=wake)
    assert (report.broken, woken) == ([], ["lost", "lost"])


def test_a_damaged_object_is_told_and_all_others_come(house: House, place: Path) -> None:
    for content in (FIRST, SECOND, THIRD):
        house.push_blob(content, large=True)
    keys = [key_of(house, content) for content in (FIRST, SECOND, THIRD)]
    (house.folder / str(keys[0])).write_bytes(bytes(9000))
    (house.folder / str(keys[1])).unlink()
    report = back_up(house, place / "backup")
    told = {each.key: each.reason for each in report.broken}
    assert told == {
        str(keys[0]): f"its bytes are {Digest.of(bytes(9000))}",
        str(keys[1]): "it is missing",
    }
    assert {each.digest for each in report.broken} == {str(Digest.of(FIRST)), str(Digest.of(SECOND))}
    assert (report.copied, whole_in(place / "backup").broken) == (1, 2)
    assert objects_in(place / "backup") == {keys[2].text[-36:]}


def test_an_object_too_short_is_damaged_too(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    (house.folder / str(key_of(house, FIRST))).write_bytes(FIRST[:100])
    (broken,) = back_up(house, place / "backup").broken
    assert broken.reason == "it has 100 bytes instead of 9000"


def test_what_the_registry_knows_to_be_damaged_is_no_news(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    key = key_of(house, FIRST)
    house.metadata.transact(lambda tx: tx.blobs.mark_damaged(Digest.of(FIRST), key))
    report = back_up(house, place / "backup")
    assert (report.broken, [each.key for each in report.known]) == ([], [str(key)])


def test_what_is_damaged_now_and_was_copied_before_stays_in_the_backup(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    back_up(house, place / "backup")
    (house.folder / str(key_of(house, FIRST))).write_bytes(bytes(9000))
    report = back_up(house, place / "backup")
    assert (report.present, report.broken) == (1, [])
    (path,) = (place / "backup").glob("blobs/*/*")
    assert path.read_bytes() == FIRST


def test_a_backup_that_dies_leaves_the_one_before_it_whole_and_the_next_goes_on(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    back_up(house, place / "backup")
    former = whole_in(place / "backup")
    for content in (SECOND, THIRD):
        house.push_blob(content, large=True)
    house.push_blob(FIRST, large=True)
    third = key_of(house, THIRD)

    def die(key: ObjectKey) -> None:
        if key == third:
            raise Killed

    with pytest.raises(Killed):
        back_up(house, place / "backup", happens=die)
    assert whole_in(place / "backup") == former
    assert digest_of(place / "backup" / former.facts) == former.facts_digest
    assert {path.read_bytes() for path in (place / "backup").glob("blobs/*/*")} >= {FIRST}
    report = back_up(house, place / "backup")
    assert report.copied + report.present == 3
    assert not [path for path in (place / "backup").rglob(".*") if path.is_file()]


def test_a_lost_lease_ends_the_backup_before_it_is_called_whole(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)

    def lose(_: ObjectKey) -> None:
        rows(house.database, "UPDATE lease SET fence = fence + 1")

    with pytest.raises(TenureLost):
        back_up(house, place / "backup", happens=lose)
    assert BackupFolder(place / "backup").find() is None


def test_a_lease_known_to_be_lost_stops_the_copying(house: House, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_: Hold) -> None:
        raise TenureLost

    for number in range(20):
        house.push_blob(bytes([number]) * 9000, large=True)
    monkeypatch.setattr(Hold, "check", lost)
    with pytest.raises(TenureLost):
        back_up(house, place / "backup")
    assert not objects_in(place / "backup")


def test_another_instance_is_not_backed_up_into_the_same_folder(house: House, place: Path) -> None:
    back_up(house, place / "backup")
    document = json.loads((place / "backup/backup.json").read_text()) | {"instance": "another"}
    (place / "backup/backup.json").write_text(json.dumps(document))
    with pytest.raises(FolderUnfit, match="instance another"):
        back_up(house, place / "backup")


def test_what_only_the_backup_before_has_whole_stays_when_something_is_broken(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    back_up(house, place / "backup")
    former, whole = whole_in(place / "backup").facts, key_of(house, FIRST)
    house.push_blob(FIRST, large=True)
    (house.folder / str(key_of(house, FIRST))).write_bytes(bytes(9000))
    report = back_up(house, place / "backup")
    assert (len(report.broken), report.removed) == (1, 0)
    assert (place / "backup" / str(whole)).read_bytes() == FIRST
    assert (place / "backup" / former).exists()
