"""What the tables are made of: kinds of columns, and the names that constraints get."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

CONVENTION: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: Final = sa.MetaData(naming_convention=CONVENTION)

# SQLite gives row ids to INTEGER only, and they are 64 bits wide there.
ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# Names sort by their bytes on every database (design §2).
NAME: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INSTANT: Final = sa.BigInteger()
DIGEST: Final = sa.LargeBinary()


def row_id() -> sa.Column[int]:
    """The key of a table whose rows others point to."""
    return sa.Column("id", ID, primary_key=True)


def row_of(name: str, target: str | sa.Column[int], *, nullable: bool = False) -> sa.Column[int]:
    """A column that points to `target`, as `table.column`."""
    return sa.Column(name, ID, sa.ForeignKey(target), nullable=nullable)
