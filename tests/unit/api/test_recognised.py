"""Who was let in a moment ago is let in again, exactly as long as nobody has committed anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from registry.api.authenticate import BadCredentials, BadToken
from registry.api.messages import Identity
from registry.api.recognised import LIFETIME, Recognised
from registry.auth.tokens import Claims
from registry.core.facts import Caller
from tests.unit.api.conftest import PASSWORD, Gate, basic

ALICE = Identity(Caller(7, "alice", credential=1))
NOW = 1_000_000.0


def recognised(until: float = NOW + 1000) -> Recognised:
    kept = Recognised()
    assert kept.find("Basic x", "192.0.2.1", 1, NOW) is None
    kept.put("Basic x", "192.0.2.1", 1, _until(until), NOW)
    return kept


def _until(until: float) -> Identity:
    return Identity(ALICE.caller, until=until)


def test_the_same_from_the_same_place_is_the_same_caller() -> None:
    kept = recognised()
    assert kept.find("Basic x", "192.0.2.1", 1, NOW) == _until(NOW + 1000)
    assert kept.find("Basic y", "192.0.2.1", 1, NOW) is None
    assert kept.find("Basic x", "192.0.2.2", 1, NOW) is None


def test_a_commit_makes_it_forget_everybody() -> None:
    kept = recognised()
    assert kept.find("Basic x", "192.0.2.1", 2, NOW) is None
    assert kept.find("Basic x", "192.0.2.1", 1, NOW) is None


def test_what_was_looked_up_before_a_commit_is_not_kept_after_it() -> None:
    kept = recognised()
    assert kept.find("Basic z", "", 2, NOW) is None
    kept.put("Basic z", "", 1, ALICE, NOW)
    assert kept.find("Basic z", "", 2, NOW) is None


@pytest.mark.parametrize(("until", "later"), [(NOW + 5, 5.0), (NOW + 1000, LIFETIME)])
def test_it_ends_with_the_credential_and_after_a_minute(until: float, later: float) -> None:
    kept = recognised(until)
    assert kept.find("Basic x", "192.0.2.1", 1, NOW + later - 1) is not None
    assert kept.find("Basic x", "192.0.2.1", 1, NOW + later) is None


def test_nobody_is_remembered_where_commits_cannot_be_seen() -> None:
    kept = Recognised()
    assert kept.find("Basic x", "", None, NOW) is None
    kept.put("Basic x", "", None, ALICE, NOW)
    assert kept.find("Basic x", "", None, NOW) is None


def test_what_was_shown_is_not_kept() -> None:
    kept = recognised()
    assert "Basic x" not in repr(vars(kept)) + repr(vars(kept._identities))


ENDS = {
    "a password that was changed": "UPDATE credential SET version = version + 1, secret = 'x'",
    "a credential that was revoked": "UPDATE credential SET revoked_at = 1",
    "a principal that was disabled": "UPDATE principal SET disabled_at = 1",
}


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_is_seen_by_the_next_request_though_the_caller_is_remembered(gate: Gate, end: str) -> None:
    token = bearer(gate)
    for _ in range(3):
        assert gate.recognise(basic("admin", PASSWORD)).caller.name == "admin"
        assert gate.recognise(token).caller.name == "admin"
    gate.sql(ENDS[end])
    with pytest.raises(BadCredentials):
        gate.recognise(basic("admin", PASSWORD))
    if "password" not in end:
        # A token names the credential, which is still there; what was given out for it ends in the same transaction.
        with pytest.raises(BadToken):
            gate.recognise(token)


def test_a_remembered_caller_costs_no_lookup(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    token = bearer(gate)
    first = gate.recognise(token)

    async def fail(*_: object) -> None:
        raise AssertionError("looked up")

    monkeypatch.setattr(gate.authenticator._recognition, "credential", fail)
    assert gate.recognise(token) is first


def bearer(gate: Gate) -> str:
    now = datetime.now(UTC)
    [credential, principal] = gate.house.rows("SELECT id, principal_id FROM credential ORDER BY id LIMIT 1")[0]
    claims = Claims.grant(str(principal), credential, (), now, timedelta(minutes=4))
    return f"Bearer {gate.tokens.issue(claims, now)}"
