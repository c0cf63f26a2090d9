"""Sums of sizes, in words that both databases have."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def total(sizes: sa.ColumnElement[int]) -> sa.ColumnElement[Any]:
    """Of no rows, 0. A sum of bigints is a numeric, and numerics are no integers to a driver of PostgreSQL's."""
    return sa.cast(sa.func.coalesce(sa.func.sum(sizes), sa.literal_column("0")), sa.BigInteger)
