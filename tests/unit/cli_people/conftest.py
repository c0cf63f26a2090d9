"""A registry that was started once, and whoever works at its machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from registry import app
from registry.config import Settings
from tests.unit.cli_people.desk import PASSWORD, Desk


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("started") / "data"
    app.prepare(Settings(data=folder, admin_password=PASSWORD))
    return folder


@pytest.fixture
def desk(started: Path, tmp_path: Path) -> Desk:
    shutil.copytree(started, tmp_path / "data")
    return Desk(tmp_path / "data")
