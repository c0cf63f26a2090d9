"""Bytes in SQL that are not what their digest says are marked, as objects are; what is damaged is found by an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_DAMAGED = sa.text("damaged_at IS NOT NULL")


def upgrade() -> None:
    """A small blob that is marked keeps its own mark."""
    op.add_column("content", sa.Column("damaged_at", sa.BigInteger(), nullable=True))
    for table in ("content", "blob"):
        op.create_index(f"ix_{table}_damaged", table, ["digest"], sqlite_where=_DAMAGED, postgresql_where=_DAMAGED)


def downgrade() -> None:
    """Damaged manifests are served as they are."""
    for table in ("content", "blob"):
        op.drop_index(f"ix_{table}_damaged", table)
    op.drop_column("content", "damaged_at")
