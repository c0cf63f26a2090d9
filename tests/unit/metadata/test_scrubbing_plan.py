"""Whether anything is to be read again is asked each minute: by an index that leads to the first of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.metadata.scrubbing import _BLOBS, _COUNTS, _DUE, _MANIFESTS
from registry.metadata.statements import Statement, prepare_for_observing, prepare_for_sqlite
from tests.support.postgres import ask, postgres_server
from tests.unit.metadata.databases import rows

LOOKUPS: dict[str, tuple[Statement, str]] = {
    "due": (_DUE[False], "ix_blob_verified_at"),
    "marked and due": (_DUE[True], "ix_blob_damaged"),
    "marked blobs": (_BLOBS, "ix_blob_damaged"),
    "marked manifests": (_MANIFESTS, "ix_content_damaged"),
    "how many are marked": (_COUNTS, "ix_blob_damaged"),
}


@pytest.mark.parametrize(("statement", "index"), LOOKUPS.values(), ids=LOOKUPS)
def test_sqlite_goes_by_the_index(database: Path, statement: Statement, index: str) -> None:
    prepared = prepare_for_sqlite(statement)
    steps = [row[-1] for row in rows(database, f"EXPLAIN QUERY PLAN {prepared.text}", *[None] * len(prepared.order))]
    assert index in "\n".join(steps)
    assert not [step for step in steps if step.startswith("SCAN") and "INDEX" not in step and "CONSTANT" not in step]


def test_sqlite_sorts_nothing_to_find_the_next(database: Path) -> None:
    prepared = prepare_for_sqlite(_DUE[False])
    steps = [row[-1] for row in rows(database, f"EXPLAIN QUERY PLAN {prepared.text}", *[None] * len(prepared.order))]
    assert steps[0].startswith("SEARCH blob USING INDEX ix_blob_verified_at (")
    assert not [step for step in steps if "TEMP B-TREE" in step]


@pytest.mark.parametrize(("statement", "index"), LOOKUPS.values(), ids=LOOKUPS)
def test_postgresql_goes_by_the_index(statement: Statement, index: str) -> None:
    with postgres_server().database() as url:
        text = f"EXPLAIN (GENERIC_PLAN, COSTS off) {prepare_for_observing(statement).text}"
        plan = "\n".join(row[0] for row in ask(f"{url}&options=-c%20enable_seqscan%3Doff", text))
    assert index in plan, plan
    assert "Seq Scan on blob" not in plan
