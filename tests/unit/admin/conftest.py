"""The administration API, asked without any server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import postgres_server
from tests.unit.admin.site import Person, Site, site


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests; each makes the people it needs."""
    with site(tmp_path_factory.mktemp("administration") / "data") as registry:
        yield registry


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def anywhere(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same over each database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("registry")
        return
    data: Path = tmp_path_factory.mktemp("on-postgresql") / "data"
    with postgres_server().database() as url, site(data, database=url) as registry:
        yield registry


@pytest.fixture
def admin(registry: Site) -> Person:
    return registry.admin


@pytest.fixture
def alice(registry: Site) -> Person:
    """A user without any grant."""
    return registry.user()
