"""A server that is started while facts are being restored, which on PostgreSQL nothing keeps from trying."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from registry import app
from registry.config import Settings
from registry.core.restoring import RESTORING, RestoreUnfinished
from tests.support.postgres import postgres_server
from tests.system.waiting import eventually
from tests.unit.backup.backups import INSTANCE

_WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def test_it_is_refused_though_it_came_before_the_facts_were_there(place: Path) -> None:
    with postgres_server().database() as url, ThreadPoolExecutor(1) as pool:
        settings = Settings(data=place, database=url)
        app.migrate(settings)
        with psycopg.connect(url, autocommit=True) as eyes, psycopg.connect(url) as restoring:
            for name, value in (("instance", INSTANCE), (RESTORING, "sha256:")):
                restoring.execute("INSERT INTO setting (name, value) VALUES (%s, %s)", [name, value])
            starting = pool.submit(app.prepare, settings)
            eventually("the start waits for the restore", lambda: eyes.execute(_WAITING).fetchone())
            restoring.commit()
            with pytest.raises(RestoreUnfinished):
                starting.result()
            assert not (place / "layout.json").exists()
