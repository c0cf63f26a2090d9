"""Each request looks its caller up: by an index that leads to one row, and nothing is gone through."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.metadata.recognition import (
    admin_groups_of,
    credential_by_id,
    credential_hashed,
    grants_generation,
    grants_to,
    password_of,
)
from registry.metadata.statements import Statement, prepare_for_observing, prepare_for_sqlite
from tests.support.postgres import ask, postgres_server
from tests.unit.metadata.databases import rows

LOOKUPS: dict[str, tuple[Statement, str]] = {
    "password": (password_of, "uq_principal_name"),
    "credential": (credential_by_id, "pk_credential"),
    "hashed": (credential_hashed, "uq_credential_hashed"),
    "grants": (grants_to, "uq_grant_principal_id_pattern_denies"),
    "groups of administrators": (admin_groups_of, "ix_membership_member_id"),
    "generation": (grants_generation, "pk_generation"),
}
"""Each statement, and an index that it goes by on PostgreSQL."""


@pytest.mark.parametrize("statement", [each for each, _ in LOOKUPS.values()], ids=LOOKUPS)
def test_sqlite_goes_through_no_table(database: Path, statement: Statement) -> None:
    prepared = prepare_for_sqlite(statement)
    steps = [row[-1] for row in rows(database, f"EXPLAIN QUERY PLAN {prepared.text}", *[None] * len(prepared.order))]
    assert not [step for step in steps if step.startswith("SCAN") and "concerned" not in step]


@pytest.mark.parametrize(("statement", "index"), LOOKUPS.values(), ids=LOOKUPS)
def test_postgresql_goes_by_an_index(statement: Statement, index: str) -> None:
    with postgres_server().database() as url:
        text = f"EXPLAIN (GENERIC_PLAN, COSTS off) {prepare_for_observing(statement).text}"
        plan = "\n".join(row[0] for row in ask(f"{url}&options=-c%20enable_seqscan%3Doff", text))
    assert index in plan
    assert "Seq Scan" not in plan
