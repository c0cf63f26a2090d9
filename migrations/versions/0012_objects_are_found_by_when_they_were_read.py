"""Whoever reads objects again finds the next one by an index that holds neither small blobs nor damaged ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_READ = sa.text("object_id IS NOT NULL AND damaged_at IS NULL")


def upgrade() -> None:
    """Small blobs lie in the database, and keep the age of their push for ever."""
    op.drop_index("ix_blob_verified_at", "blob")
    op.create_index("ix_blob_verified_at", "blob", ["verified_at", "id"], sqlite_where=_READ, postgresql_where=_READ)


def downgrade() -> None:
    """All of them in one."""
    op.drop_index("ix_blob_verified_at", "blob")
    op.create_index("ix_blob_verified_at", "blob", ["verified_at", "id"])
