"""A lot of rows as the parameters of one statement, whose text is the same however many they are.

The numbers of the rows go in as JSON, which both databases can spread, and their digests as one run of bytes, of which
each row says where its own begins and how long it is:

    lot      [[7, 1, 33], [7, 34, 33]]
    digests  01 … 01 …
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from registry.oci.digest import Digest

NUMBER: Final = sa.BigInteger
DIGEST: Final = sa.LargeBinary


class _Spread(FunctionElement[Any]):
    """Each element of a JSON list as a row, whose one column is called `value` on both databases."""

    inherit_cache = True
    name = "spread"


@compiles(_Spread, "sqlite")
def _on_sqlite(element: _Spread, compiler: SQLCompiler, **how: Any) -> str:  # noqa: ANN401  SQLAlchemy's own signature
    return f"json_each({compiler.process(element.clauses, **how)})"


@compiles(_Spread, "postgresql")
def _on_postgresql(element: _Spread, compiler: SQLCompiler, **how: Any) -> str:  # noqa: ANN401  the same
    return f"json_array_elements(CAST({compiler.process(element.clauses, **how)} AS JSON))"


def lot(**columns: type[sa.BigInteger | sa.LargeBinary]) -> sa.Subquery:
    """Rows to select from or to join with; a statement with them takes what `filled` returns."""
    row = _Spread(p("lot")).table_valued("value")
    places = iter(range(2 * len(columns)))

    def number(kind: type[sa.BigInteger | sa.Integer]) -> sa.ColumnElement[int]:
        return sa.cast(row.c.value.op("->>")(sa.literal_column(str(next(places)))), kind)

    def cell(kind: type[sa.BigInteger | sa.LargeBinary]) -> sa.ColumnElement[Any]:
        if kind is NUMBER:
            return number(sa.BigInteger)
        return sa.func.substr(sa.cast(p("digests"), sa.LargeBinary), number(sa.Integer), number(sa.Integer))

    return sa.select(*(cell(kind).label(name) for name, kind in columns.items())).subquery("lot")


def filled(rows: Iterable[Sequence[int | Digest]]) -> dict[str, object]:
    """The values of such rows, in the order of the columns."""
    digests = bytearray()

    def places(cell: int | Digest) -> tuple[int, ...]:
        if isinstance(cell, int):
            return (cell,)
        begin = len(digests) + 1
        digests.extend(cell.packed)
        return begin, len(cell.packed)

    numbers = [[place for cell in row for place in places(cell)] for row in rows]
    return {"lot": json.dumps(numbers), "digests": bytes(digests)}
