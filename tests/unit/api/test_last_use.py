"""When a credential was used last: noted in memory, written by whoever has nothing else to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from registry.api import gathering
from registry.api.last_use import LastUse
from registry.core.credentials import CredentialService
from tests.unit.api.conftest import PASSWORD, Gate, basic

MINUTE = timedelta(minutes=1)


def used_at(gate: Gate) -> datetime | None:
    (secret,) = CredentialService(gate.house.metadata).list(gate.house.admin.principal)
    return secret.used


def last_use_of(gate: Gate, pause: float = 0) -> LastUse:
    return LastUse(CredentialService(gate.house.metadata), pause)


@pytest.fixture
def credential(gate: Gate) -> int:
    (secret,) = CredentialService(gate.house.metadata).list(gate.house.admin.principal)
    return secret.id


def test_who_is_recognised_is_seen_using_a_credential_once_it_is_written_down(gate: Gate) -> None:
    gate.recognise(basic("admin", PASSWORD))
    assert used_at(gate) is None
    gate.last_use.refresh()
    used = used_at(gate)
    assert used is not None
    assert abs(datetime.now(UTC) - used) < MINUTE


def test_who_is_refused_is_not(gate: Gate) -> None:
    for password in ("wrong", ""):
        with pytest.raises(Exception, match="incorrect"):
            gate.recognise(basic("admin", password))
    gate.last_use.write()
    assert used_at(gate) is None


def test_it_is_written_no_more_often_than_once_a_minute_but_when_the_worker_leaves(gate: Gate, credential: int) -> None:
    uses = last_use_of(gate, gathering.PAUSE)
    uses.note(credential)
    uses.refresh()
    assert used_at(gate) is None
    uses.close()
    assert used_at(gate) is not None


def test_without_a_use_nothing_is_written(gate: Gate) -> None:
    before = gate.house.rows("PRAGMA data_version")
    last_use_of(gate).write()
    assert gate.house.rows("PRAGMA data_version") == before


def test_what_could_not_be_written_is_written_the_next_time(
    gate: Gate, credential: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses = last_use_of(gate)
    uses.note(credential)
    with monkeypatch.context() as patch:
        patch.setattr(CredentialService, "note_use", _refuse)
        with pytest.raises(OSError, match="no database"):
            uses.write()
    uses.write()
    assert used_at(gate) is not None


def test_a_worker_that_leaves_without_a_database_leaves_nevertheless(
    gate: Gate, credential: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses = last_use_of(gate)
    uses.note(credential)
    monkeypatch.setattr(CredentialService, "note_use", _refuse)
    uses.close()


def test_however_many_are_used_the_memory_has_an_end(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr(gathering, "MOST", 3)
    monkeypatch.setattr(CredentialService, "note_use", lambda _, used: told.extend(each for each, _ in used))
    uses = last_use_of(gate)
    for credential in (1, 2, 3, 4, 5, 1):
        uses.note(credential)
    uses.write()
    assert told == [1, 2, 3]


def _refuse(*_: object) -> None:
    raise OSError("no database")
