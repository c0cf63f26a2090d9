"""The databases that keep a registry's facts; each is given empty and migrated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from registry.core.ports import Metadata
from tests.unit.metadata.databases import new_database, opened, quick_folder


@pytest.fixture(params=["sqlite"])
def metadata(request: pytest.FixtureRequest) -> Iterator[Metadata]:
    with quick_folder() as folder, opened(new_database(folder)) as metadata:
        yield metadata
