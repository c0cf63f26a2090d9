"""`registry.backup.restore`: the same registry again, from what was backed up and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from registry.backup.folder import BackupInvalid
from registry.backup.report import Report
from registry.backup.restore import (
    NotRestorable,
    Restore,
    Source,
    find_source,
    is_begun,
    put_facts,
    put_key,
    working_copy,
)
from registry.core.facts import ObjectKey
from registry.core.fsck import Allowed
from registry.core.fsck_run import Fsck
from registry.core.ports import ObjectStore
from registry.core.restoring import RestoreUnfinished, refuse_unfinished
from registry.core.sweep import COLLECTOR_PAUSED, Sweeper, Swept
from registry.core.tenure import Tenure
from registry.metadata.facts_file import FactsDamaged
from registry.metadata.kept_facts import Snapshot
from registry.metadata.migrate import SchemaUnknown
from registry.metadata.schema import metadata as schema
from registry.metadata.sqlite import SqliteMetadata
from registry.oci.digest import Digest
from registry.storage.file_inventory import FileInventory
from registry.storage.filesystem import FilesystemStore
from tests.unit.backup.backups import INSTANCE, KEY, Watching, back_up, key_of, whole_in
from tests.unit.core.fsck_site import Watching as FsckWatching
from tests.unit.core.house import APP, House
from tests.unit.metadata.databases import rows

FIRST, SECOND = bytes([1]) * 9000, bytes([2]) * 2_500_000
SETTLED = {"lease", "object", "reservation", "setting", "upload"}


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture
def backup(house: House, place: Path) -> Path:
    """Of a registry in which much has happened, and something was under way."""
    house.push_blob(FIRST, large=True)
    house.push_blob(SECOND, large=True)
    house.push_blob(FIRST, large=True)
    house.push_image("v1", APP, b"layer")
    house.push_image("v1", APP, b"another")
    sending = house.receive(house.begin())
    sending.append([bytes(9000)])
    back_up(house, place / "backup")
    return place / "backup"


def restore(
    path: Path, data: Path, *, database_only: bool = False, store: ObjectStore | None = None, threads: int = 2
) -> Report | None:
    source = find_source(path)
    with working_copy(source, data) as working:
        if not is_begun(source, data / "registry.db", database_only=database_only):
            put_facts(source, working, data / "registry.db", database_only=database_only)
        if database_only or source.folder is None:
            return None
        with closing(SqliteMetadata(data / "registry.db")) as metadata, closing(Snapshot(working)) as facts:
            objects = store or FilesystemStore(data)
            return Restore(source.folder, metadata, objects, threads, Watching()).run(facts, source.at)


def everything(database: Path) -> dict[str, list[tuple[object, ...]]]:
    return {
        table.name: sorted(rows(database, f'SELECT * FROM "{table.name}"'), key=repr)  # noqa: S608 - our own names
        for table in schema.sorted_tables
    }


def objects(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("blobs/*/*")}


def setting(database: Path, name: str) -> str | None:
    found = rows(database, "SELECT value FROM setting WHERE name = ?", name)
    return found[0][0] if found else None


class Failing(FilesystemStore):
    """A store that is told of each object before it receives it."""

    def __init__(self, root: Path, told: Callable[[ObjectKey], None]) -> None:
        super().__init__(root)
        self._told = told

    def receive(self, key: ObjectKey, offset: int, _state: str, still_mine: Callable[[], bool]):  # type: ignore[no-untyped-def]  # noqa: ANN201
        self._told(key)
        return super().receive(key, offset, _state, still_mine)


def test_every_fact_and_every_object_comes_back(house: House, backup: Path, place: Path) -> None:
    report = restore(backup, place / "new")
    assert report is not None
    assert (report.copied, report.broken, report.instance) == (2, [], INSTANCE)
    before, after = everything(house.database), everything(place / "new/registry.db")
    assert {name for name in before if before[name] != after[name]} <= SETTLED
    assert sum(map(len, after.values())) > 30
    # What the registry has beside them is doomed already, or the bytes of an upload.
    wanted = {str(key_of(house, content)): content for content in (FIRST, SECOND)}
    assert objects(place / "new") == wanted


def test_what_was_under_way_is_over_and_what_it_had_written_is_nobodys(house: House, backup: Path, place: Path) -> None:
    restore(backup, place / "new")
    database = place / "new/registry.db"
    assert len(rows(house.database, "SELECT 1 FROM upload")) == 4
    assert rows(database, "SELECT count(*) FROM upload") == rows(database, "SELECT count(*) FROM reservation") == [(0,)]
    states = dict(rows(database, "SELECT key, state FROM object"))
    former = dict(house.rows("SELECT key, state FROM object"))
    assert "receiving" in former.values()
    assert states == {key: state for key, state in former.items() if state != "receiving"}


def test_the_collector_is_paused_until_somebody_ends_that(house: House, backup: Path, place: Path) -> None:
    restore(backup, place / "new")
    with closing(SqliteMetadata(place / "new/registry.db")) as metadata:
        sweeper = Sweeper(
            metadata, FilesystemStore(place / "new"), Tenure(metadata, "sweep", "mine"), house.delete_delay
        )
        # The lease of the backup, which is among the facts, is nobody's any more.
        assert sweeper.tenure.take() is not None
        assert sweeper.run() == Swept(0, 0)
        assert whole_in(backup).at in (setting(place / "new/registry.db", COLLECTOR_PAUSED) or "")
        metadata.transact(lambda tx: tx.settings.remove(COLLECTOR_PAUSED))
        assert sweeper.run() == Swept(0, 1)


@pytest.mark.parametrize("after", [0, 1])
def test_a_restore_that_dies_goes_on_where_it_stopped_and_serves_nobody_before(
    backup: Path, place: Path, after: int
) -> None:
    received: list[ObjectKey] = []

    def die(key: ObjectKey) -> None:
        if len(received) == after:
            raise Killed
        received.append(key)

    with pytest.raises(Killed):
        restore(backup, place / "new", store=Failing(place / "new", die))
    with closing(SqliteMetadata(place / "new/registry.db")) as metadata, pytest.raises(RestoreUnfinished):
        metadata.observe(refuse_unfinished)
    with pytest.raises(NotRestorable, match="another restore"):
        restore(backup, place / "new", database_only=True)
    report = restore(backup, place / "new")
    assert report is not None
    assert (report.copied + report.present, report.broken) == (2, [])
    with closing(SqliteMetadata(place / "new/registry.db")) as metadata:
        metadata.observe(refuse_unfinished)
    assert sorted(objects(place / "new").values()) == [FIRST, SECOND]


def test_half_an_object_is_written_anew(house: House, backup: Path, place: Path) -> None:
    key = key_of(house, SECOND)
    half = place / "new" / str(key)
    half.parent.mkdir(parents=True)
    half.write_bytes(bytes(1000))
    report = restore(backup, place / "new")
    assert report is not None
    assert report.copied == 2
    assert half.read_bytes() == SECOND


def test_what_lies_in_the_store_already_is_left_as_it_is(house: House, backup: Path, place: Path) -> None:
    there = place / "new" / str(key_of(house, FIRST))
    there.parent.mkdir(parents=True)
    there.write_bytes(FIRST)
    before = there.stat()
    report = restore(backup, place / "new")
    assert report is not None
    assert (report.copied, report.present) == (1, 1)
    assert there.stat().st_mtime_ns == before.st_mtime_ns


def test_an_object_that_was_damaged_in_the_backup_is_not_served(house: House, backup: Path, place: Path) -> None:
    first, second = key_of(house, FIRST), key_of(house, SECOND)
    (backup / str(first)).unlink()
    damaged = bytearray(SECOND)
    damaged[-1] ^= 1
    (backup / str(second)).write_bytes(damaged)
    report = restore(backup, place / "new")
    assert report is not None
    assert {each.key: each.reason for each in report.broken} == {
        str(first): "it is not in the backup",
        str(second): f"its bytes are {Digest.of(bytes(damaged))}",
    }
    assert objects(place / "new") == {}
    marked = rows(place / "new/registry.db", "SELECT digest FROM blob WHERE damaged_at IS NOT NULL")
    assert {row[0] for row in marked} == {Digest.of(FIRST).packed, Digest.of(SECOND).packed}
    assert setting(place / "new/registry.db", "restoring") is None


def test_facts_that_were_damaged_are_not_restored(backup: Path, place: Path) -> None:
    facts = backup / whole_in(backup).facts
    content = bytearray(facts.read_bytes())
    content[5000] ^= 1
    facts.write_bytes(content)
    with pytest.raises(BackupInvalid, match="is damaged"):
        restore(backup, place / "new")
    facts.unlink()
    with pytest.raises(BackupInvalid, match="is missing"):
        restore(backup, place / "new")
    assert not (place / "new").exists()


def test_an_unfinished_backup_is_not_restored(backup: Path, place: Path) -> None:
    (backup / "backup.json").unlink()
    with pytest.raises(BackupInvalid, match="never came to its end"):
        restore(backup, place / "new")


def test_nothing_is_mixed_with_a_registry_that_is_there(house: House, backup: Path) -> None:
    before = everything(house.database)
    with pytest.raises(NotRestorable, match="not empty"):
        restore(backup, house.folder)
    assert everything(house.database) == before


def test_two_backups_are_not_mixed(house: House, backup: Path, place: Path) -> None:
    def die(_: ObjectKey) -> None:
        raise Killed

    with pytest.raises(Killed):
        restore(backup, place / "new", store=Failing(place / "new", die))
    house.push_image("later", APP, b"later")
    back_up(house, backup)
    with pytest.raises(NotRestorable, match="another restore"):
        restore(backup, place / "new")


def test_the_schema_of_a_newer_program_is_refused(house: House, place: Path) -> None:
    house.rows("UPDATE alembic_version SET version_num = '9999'")
    back_up(house, place / "backup")
    with pytest.raises(SchemaUnknown, match="9999"):
        restore(place / "backup", place / "new")


def test_facts_alone_come_from_a_file_and_leave_the_objects_where_they_are(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    house.push_image("v1", APP, b"layer")
    back_up(house, place / "backup")
    house.metadata.close()
    lost = objects(house.folder)
    facts = place / "kept.db"
    facts.write_bytes((place / "backup" / whole_in(place / "backup").facts).read_bytes())
    for file in house.folder.glob("registry.db*"):
        file.unlink()
    restore(facts, house.folder, database_only=True)
    assert objects(house.folder) == lost
    assert rows(house.database, "SELECT name FROM tag") == [("v1",)]
    assert setting(house.database, "restoring") is None
    assert setting(house.database, COLLECTOR_PAUSED) is not None
    house.metadata = SqliteMetadata(house.database)
    assert house.content(Digest.of(FIRST)) == FIRST


def test_a_file_that_is_no_database_is_refused(place: Path) -> None:
    (place / "kept.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(FactsDamaged):
        restore(place / "kept.db", place / "new", database_only=True)


def test_the_facts_of_an_earlier_backup_bring_their_objects_where_they_were_kept(house: House, place: Path) -> None:
    house.push_blob(FIRST, large=True)
    back_up(house, place / "backup")
    former, key = whole_in(place / "backup").facts, key_of(house, FIRST)
    house.push_blob(FIRST, large=True)
    back_up(house, place / "backup", keep=True)
    report = restore(place / "backup" / former, place / "new")
    assert report is not None
    assert (report.copied, report.broken) == (1, [])
    assert objects(place / "new") == {str(key): FIRST}


def test_the_key_file_comes_where_there_is_none(backup: Path, place: Path) -> None:
    source = find_source(backup)
    assert put_key(source, place / "new/key")
    assert (place / "new/key").read_bytes() == KEY
    assert (place / "new/key").stat().st_mode & 0o777 == 0o600
    (place / "new/key").write_bytes(bytes(32))
    assert not put_key(source, place / "new/key")
    assert (place / "new/key").read_bytes() == bytes(32)
    assert not put_key(Source(source.facts, source.digest, None, ""), place / "other/key")


def test_nothing_of_the_work_is_left_over(backup: Path, place: Path) -> None:
    restore(backup, place / "new")
    assert not [each for each in (place / "new").iterdir() if each.name.startswith(".")]


def test_two_restores_are_not_made_at_once(backup: Path, place: Path) -> None:
    source = find_source(backup)
    with (
        working_copy(source, place / "new"),
        pytest.raises(NotRestorable, match="under way"),
        working_copy(source, place / "new"),
    ):
        pass


def test_a_backup_can_be_read_only(backup: Path, place: Path) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(backup.rglob("*"))}
    restore(backup, place / "new")
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(backup.rglob("*"))} == before


def test_the_log_of_a_database_that_is_gone_is_not_taken_for_the_new_ones(backup: Path, place: Path) -> None:
    (place / "new").mkdir()
    (place / "new/registry.db-wal").write_bytes(b"of another one")
    with pytest.raises(NotRestorable, match="wal is left of a database that is gone"):
        restore(backup, place / "new")
    assert not (place / "new/registry.db").exists()


def test_what_was_committed_after_the_facts_were_taken_is_there_to_be_adopted(house: House, place: Path) -> None:
    """An upload was under way then; its bytes, which somebody was told are kept, are not to go as those of nobody."""
    sending = house.receive(house.begin(), Digest.of(FIRST))
    sending.append([FIRST])
    back_up(house, place / "backup")
    sending.commit(Digest.of(FIRST), house.admin)
    sending.close()
    key = key_of(house, FIRST)
    house.metadata.close()
    for file in house.folder.glob("registry.db*"):
        file.unlink()
    restore(place / "backup", house.folder, database_only=True)
    house.metadata = metadata = SqliteMetadata(house.database)
    adopting = Allowed(adopt=True, grace=timedelta(0))
    fsck = Fsck(metadata, house.store, FileInventory(house.folder), house.hashes, adopting, map, FsckWatching())
    assert fsck.run().is_released
    Sweeper(metadata, house.store, Tenure(metadata, "sweep", "mine"), timedelta(0)).run()
    assert (house.folder / str(key)).read_bytes() == FIRST
    assert rows(house.database, "SELECT digest FROM blob WHERE object_id IS NOT NULL") == [(Digest.of(FIRST).packed,)]


def test_a_backup_that_goes_away_ends_no_restore(backup: Path, place: Path) -> None:
    away = place / "away"

    def unmount(_: ObjectKey) -> None:
        if backup.exists():
            backup.rename(away)

    with pytest.raises(FileNotFoundError):
        # One after the other, or both may have been opened by then.
        restore(backup, place / "new", store=Failing(place / "new", unmount), threads=1)
    assert setting(place / "new/registry.db", "restoring") is not None
    away.rename(backup)
    report = restore(backup, place / "new")
    assert report is not None
    assert report.broken == []
    assert sorted(objects(place / "new").values()) == [FIRST, SECOND]


def test_who_slept_while_the_same_restore_came_to_its_end_touches_nothing(
    house: House, backup: Path, place: Path
) -> None:
    """What it would write is served by now, or was deleted."""
    new = place / "new"
    there = new / str(key_of(house, SECOND))

    def sleep(_: ObjectKey) -> None:
        if not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(b"of a registry that is served")
            rows(new / "registry.db", "DELETE FROM setting WHERE name = 'restoring'")

    with pytest.raises(NotRestorable, match="another run of this restore"):
        # One after the other, or the second object may be half-way there as well.
        restore(backup, new, store=Failing(new, sleep), threads=1)
    assert objects(new)[str(key_of(house, SECOND))] == b"of a registry that is served"
    assert rows(new / "registry.db", "SELECT count(*) FROM blob WHERE damaged_at IS NOT NULL") == [(0,)]
