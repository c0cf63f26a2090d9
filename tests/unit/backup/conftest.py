"""A registry in which something has happened, and folders for what is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.backup.backups import INSTANCE
from tests.unit.core.house import House
from tests.unit.metadata.databases import quick_folder


@pytest.fixture
def place() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def house(place: Path) -> Iterator[House]:
    folder = place / "data"
    folder.mkdir()
    with closing(House(folder, in_memory=False)) as house:
        house.metadata.transact(lambda tx: tx.settings.put("instance", INSTANCE))
        yield house
