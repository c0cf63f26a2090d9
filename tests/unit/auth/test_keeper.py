"""The ring of signing keys, as several processes keep it in one database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry.auth.keeper import KeyKeeper
from registry.auth.key_file import KeyFile
from registry.auth.keys import PUBLICATION, ROTATION
from registry.metadata.sqlite import SqliteMetadata
from tests.unit.metadata.databases import new_database, quick_folder

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIFETIME = timedelta(minutes=5)


@pytest.fixture
def folder() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def metadata(folder: Path) -> Iterator[SqliteMetadata]:
    with closing(SqliteMetadata(new_database(folder))) as metadata:
        yield metadata


def keeper(metadata: SqliteMetadata, folder: Path, name: str = "key") -> KeyKeeper:
    return KeyKeeper(metadata, KeyFile.load_or_create(folder / name), LIFETIME)


def test_the_first_refresh_makes_a_key_that_signs_at_once(metadata: SqliteMetadata, folder: Path) -> None:
    first = keeper(metadata, folder)
    assert first.ring().signer(NOW) is None
    first.refresh(NOW)
    assert first.ring().signer(NOW) is not None


def test_every_process_has_the_same_key_and_none_makes_a_second(metadata: SqliteMetadata, folder: Path) -> None:
    first, second = keeper(metadata, folder), keeper(metadata, folder)
    first.refresh(NOW)
    second.refresh(NOW)
    assert second.ring() == first.ring()
    assert len(first.ring().keys) == 1


def test_a_successor_is_published_before_it_signs(metadata: SqliteMetadata, folder: Path) -> None:
    kept = keeper(metadata, folder)
    kept.refresh(NOW)
    old = kept.ring().signer(NOW)
    due = NOW + ROTATION - PUBLICATION
    kept.refresh(due)
    assert len(kept.ring().keys) == 2
    assert kept.ring().signer(due) == old
    assert kept.ring().signer(due + PUBLICATION) not in {old, None}


def test_keys_sealed_by_another_key_file_are_replaced(metadata: SqliteMetadata, folder: Path) -> None:
    former = keeper(metadata, folder)
    former.refresh(NOW)
    stranger = keeper(metadata, folder, "another")
    stranger.refresh(NOW)
    assert stranger.ring().signer(NOW) not in {former.ring().signer(NOW), None}
