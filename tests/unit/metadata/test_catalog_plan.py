"""Who may see a part of many repositories has that part looked at, in the order of an index, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from registry.metadata.catalog import _CATALOG, _CATALOG_OF, _SEARCH, _SEARCH_OF
from registry.metadata.statements import Statement, prepare_for_observing, prepare_for_sqlite
from tests.support.postgres import ask, postgres_server
from tests.unit.metadata.databases import rows

STATEMENTS = {"whole": _CATALOG, "matching": _CATALOG_OF, "search": _SEARCH, "search in a part": _SEARCH_OF}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_sqlite_goes_through_the_index_from_name_to_name(database: Path, statement: Statement) -> None:
    prepared = prepare_for_sqlite(statement)
    steps = [row[-1] for row in rows(database, f"EXPLAIN QUERY PLAN {prepared.text}", *[None] * len(prepared.order))]
    assert re.fullmatch(r"SEARCH repository USING INDEX \w+ \(name>\? AND name<\?\)", steps[0])
    assert not [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step]


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_postgresql_goes_through_the_index_from_name_to_name(statement: Statement) -> None:
    with postgres_server().database() as url:
        prepared = prepare_for_observing(statement)
        # As the readers ask: planned once, whatever the parameters will be.
        text = f"EXPLAIN (GENERIC_PLAN, COSTS off) {prepared.text}"
        plan = "\n".join(row[0] for row in ask(f"{url}&options=-c%20enable_seqscan%3Doff", text))
    assert re.search(r"Index Scan using \w+ on repository\n *Index Cond: \(\(name >= \$1\) AND \(name < \$2\)", plan)
    assert "Sort" not in plan
