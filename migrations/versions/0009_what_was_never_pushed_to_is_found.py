"""What was never pushed to is found by its age, however many repositories there are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_UNUSED = sa.text("deleted_at IS NULL AND pushed_at IS NULL")


def upgrade() -> None:
    """For the collector, which lets such repositories go."""
    op.create_index(
        "ix_repository_unused", "repository", ["created_at"], sqlite_where=_UNUSED, postgresql_where=_UNUSED
    )


def downgrade() -> None:
    """Nobody looks for them."""
    op.drop_index("ix_repository_unused", "repository")
