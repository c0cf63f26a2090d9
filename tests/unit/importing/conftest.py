"""A tree to import, and a registry on a folder of the same file system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.core.house import House
from tests.unit.importing.trees import WrittenTree
from tests.unit.metadata.databases import quick_folder


@pytest.fixture
def place() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def written(place: Path) -> WrittenTree:
    written = WrittenTree(place / "source")
    (written.v2 / "repositories").mkdir(parents=True)
    return written


@pytest.fixture
def house(place: Path) -> Iterator[House]:
    folder = place / "data"
    folder.mkdir()
    with closing(House(folder, in_memory=False)) as house:
        yield house
