"""A database of one's own, and the metadata on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.metadata.sqlite import SqliteMetadata
from tests.unit.metadata.databases import new_database, opened, quick_folder


@pytest.fixture
def database() -> Iterator[Path]:
    with quick_folder() as folder:
        yield new_database(folder)


@pytest.fixture
def metadata(database: Path) -> Iterator[SqliteMetadata]:
    with opened(database) as metadata:
        yield metadata
