"""The audit log comes back from a backup as the chain that it was, and goes on."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from registry.backup.restore import find_source, put_facts, working_copy
from registry.core import sealing
from registry.core.auditing import AuditService
from registry.core.ports import Metadata
from registry.core.sealing import Sealer
from registry.core.tenure import Tenure
from registry.metadata.sqlite import SqliteMetadata
from tests.unit.backup.backups import back_up
from tests.unit.core.house import APP, House

FOR_EVER = timedelta(0)


def seal(metadata: Metadata, holder: str) -> int:
    return Sealer(metadata, Tenure(metadata, "seal", holder), FOR_EVER).run().sealed


def test_a_restored_chain_holds_and_goes_on(house: House, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "AGE", timedelta(0))
    house.push_image("v1", APP, b"layer")
    assert seal(house.metadata, "a") > 0
    house.push_image("v2", APP, b"another")
    back_up(house, place / "backup")
    source = find_source(place / "backup")
    (place / "new").mkdir()
    with working_copy(source, place / "new") as working:
        put_facts(source, working, place / "new/registry.db", database_only=True)
    before = AuditService(house.metadata).verify(FOR_EVER)
    with closing(SqliteMetadata(place / "new/registry.db")) as metadata:
        audit = AuditService(metadata)
        assert audit.verify(FOR_EVER) == before
        assert seal(metadata, "b") == before.unsealed > 0
        assert audit.verify(FOR_EVER, before.head).holds
