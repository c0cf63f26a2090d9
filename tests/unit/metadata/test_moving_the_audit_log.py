"""The audit log moves with everything else, is still one chain where it arrives, and goes on there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from registry.core import sealing
from registry.core.audit_chain import Verified
from registry.core.auditing import AuditService
from registry.core.ports import Metadata
from registry.core.sealing import Sealed, Sealer
from registry.core.tenure import Tenure
from registry.metadata.copying import copy
from registry.metadata.sqlite import SqliteMetadata
from tests.support.postgres import opened, postgres_server
from tests.unit.core.house import APP, House
from tests.unit.metadata.databases import new_database, quick_folder

FOR_EVER = timedelta(0)


def seal(metadata: Metadata) -> Sealed:
    return Sealer(metadata, Tenure(metadata, "seal", "a", timedelta(0)), FOR_EVER).run()


def verify(metadata: Metadata) -> Verified:
    verified = AuditService(metadata).verify(FOR_EVER)
    assert verified.holds
    return verified


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Two seals, and events that wait for one."""
    monkeypatch.setattr(sealing, "AGE", timedelta(0))
    with quick_folder() as folder, closing(House(folder)) as house:
        for tag in ("one", "two", "three"):
            seal(house.metadata)
            house.push_image(tag, APP, tag.encode())
        yield house


def test_a_chain_holds_in_postgresql_and_back_and_goes_on_in_each(house: House) -> None:
    before = verify(house.metadata)
    assert before.seals == 2
    with postgres_server().database() as url, quick_folder() as folder:
        copy(house.database, url, lambda *_: None)
        with opened(url) as moved:
            assert verify(moved) == before
            assert seal(moved).sealed == before.unsealed > 0
            there = verify(moved)
        back = new_database(folder)
        copy(url, back, lambda *_: None)
        with closing(SqliteMetadata(back)) as returned:
            assert verify(returned) == there
            assert there.seals == 3
