"""The databases that keep a registry's facts; each is given empty and migrated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from registry.core.ports import Metadata
from registry.metadata.postgres import PostgresMetadata
from tests.support.postgres import postgres_server
from tests.unit.metadata.databases import new_database, opened, quick_folder


@pytest.fixture(params=["sqlite", "postgresql"])
def metadata(request: pytest.FixtureRequest) -> Iterator[Metadata]:
    if request.param == "sqlite":
        with quick_folder() as folder, opened(new_database(folder)) as metadata:
            yield metadata
    else:
        with postgres_server().database() as url:
            on_postgresql = PostgresMetadata(url, pool_size=4)
            try:
                yield on_postgresql
            finally:
                on_postgresql.close()
