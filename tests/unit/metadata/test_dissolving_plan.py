"""What is deleted, or was never pushed to, is found by indexes of its own, however many repositories there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from registry.metadata.deletions import _LATEST, _PAGE
from registry.metadata.dissolving import _DUE, _REMOVE, _UNUSED
from registry.metadata.schema import metadata, repository
from registry.metadata.statements import Statement, prepare_for_observing, prepare_for_sqlite
from tests.support.postgres import ask, postgres_server
from tests.unit.metadata.databases import rows

WITH_ITS_MANIFESTS = {"reference"}
STATEMENTS = {"due": _DUE, "unused": _UNUSED, "page": _PAGE, "latest": _LATEST}
INDEXES = r"ix_repository_(deleted|unused)"


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_sqlite_finds_them_by_their_index(database: Path, statement: Statement) -> None:
    prepared = prepare_for_sqlite(statement)
    steps = [row[-1] for row in rows(database, f"EXPLAIN QUERY PLAN {prepared.text}", *[None] * len(prepared.order))]
    assert re.match(rf"SEARCH repository USING (COVERING )?INDEX {INDEXES} ", steps[0]), steps
    assert not [step for step in steps if step.startswith("SCAN")]


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_postgresql_finds_them_by_their_index(statement: Statement) -> None:
    with postgres_server().database() as url:
        prepared = prepare_for_observing(statement)
        text = f"EXPLAIN (GENERIC_PLAN, COSTS off) {prepared.text}"
        plan = "\n".join(row[0] for row in ask(f"{url}&options=-c%20enable_seqscan%3Doff", text))
    assert re.search(rf"(Index|Bitmap Index) Scan (using|on) {INDEXES}", plan), plan


def test_a_repository_goes_only_when_no_table_points_to_it() -> None:
    pointing = {
        table.name for table in metadata.tables.values() for key in table.foreign_keys if key.column.table is repository
    }
    looked_at = set(re.findall(r"FROM (\w+)", prepare_for_sqlite(_REMOVE).text)) - {"repository"}
    assert looked_at == pointing - WITH_ITS_MANIFESTS
