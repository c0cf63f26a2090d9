"""Upload sessions keep the store's own note of how it goes on: an S3 store's parts, nothing for files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Sessions under way were written to files, which need no note."""
    op.add_column("upload", sa.Column("stored", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Back to a schema that knows files only."""
    op.drop_column("upload", "stored")
