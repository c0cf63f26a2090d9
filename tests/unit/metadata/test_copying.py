"""A registry's facts in another database, to the last row; and nothing of them where that cannot be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from registry.core.facts import Repository
from registry.core.ports import Transaction
from registry.metadata.copying import CopyDiffers, NotEmpty, SchemasDiffer, copy
from registry.metadata.postgres import PostgresMetadata
from registry.metadata.schema import metadata
from registry.oci.names import Tag
from tests.support.postgres import postgres_server
from tests.unit.core.house import APP, House
from tests.unit.metadata.databases import new_database, quick_folder


@pytest.fixture
def house() -> Iterator[House]:
    """One in which much has happened."""
    with quick_folder() as folder:
        house = House(folder)
        for number in range(3):
            house.push_image(f"v{number}", APP, b"layer %d" % number)
        house.push_blob(bytes(9000), large=True)
        house.begin()
        house.push_image("v0", APP, b"another")
        yield house
        house.close()


@pytest.fixture
def target() -> Iterator[Path]:
    with quick_folder() as folder:
        yield new_database(folder)


def everything(database: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(database)) as connection:
        return {
            table.name: sorted(connection.execute(f'SELECT * FROM "{table.name}"'), key=repr)  # noqa: S608 - our own names
            for table in metadata.sorted_tables
        }


def test_every_row_of_every_table_arrives(house: House, target: Path) -> None:
    told: dict[str, int] = {}
    total = copy(house.database, target, lambda table, rows: told.update({table: rows}))
    assert everything(target) == everything(house.database)
    assert told == {table: len(rows) for table, rows in everything(house.database).items()}
    assert total == sum(told.values()) > 30


def test_nothing_is_mixed_with_what_is_there(house: House, target: Path) -> None:
    copy(house.database, target, lambda *_: None)
    before = everything(target)
    with pytest.raises(NotEmpty):
        copy(house.database, target, lambda *_: None)
    assert everything(target) == before


def test_databases_of_different_schemas_are_refused(house: House, target: Path) -> None:
    house.rows("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(SchemasDiffer, match="0001"):
        copy(house.database, target, lambda *_: None)
    assert not any(everything(target).values())


def test_what_arrives_otherwise_than_it_was_sent_is_not_kept(house: House, target: Path) -> None:
    with closing(sqlite3.connect(target)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER damage AFTER INSERT ON event WHEN new.id = 2 "
            "BEGIN UPDATE event SET reference = 'damaged' WHERE id = 2; END"
        )
    with pytest.raises(CopyDiffers, match="event"):
        copy(house.database, target, lambda *_: None)
    assert not any(everything(target).values())


def test_what_is_written_meanwhile_is_not_half_copied(house: House, target: Path) -> None:
    before = everything(house.database)

    def meanwhile(table: str, _: int) -> None:
        if table == "principal":
            house.push_image("late", APP, b"late")

    copy(house.database, target, meanwhile)
    assert everything(target) == before


def test_a_registry_moves_into_postgresql_and_back(house: House, target: Path) -> None:
    with postgres_server().database() as url:
        copy(house.database, url, lambda *_: None)
        with closing(PostgresMetadata(url)) as moved:
            # The next row gets the next id, and not one that came along.
            moved.transact(lambda tx: tx.accounts.add("somebody-new", "user"))
            digest = moved.observe(lambda tx: tx.manifests.find(_repository(tx), Tag("v2")))
        assert digest == house.metadata.observe(lambda tx: tx.manifests.find(_repository(tx), Tag("v2"))) is not None
        copy(url, target, lambda *_: None)
    back, before = everything(target), everything(house.database)
    assert len(back.pop("principal")) == len(before.pop("principal")) + 1
    assert back == before


def _repository(tx: Transaction) -> Repository:
    found = tx.repositories.find(APP)
    assert found is not None
    return found
