"""Failed logins are counted by account and by source, for all replicas (design 7)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has failed yet."""
    op.create_table(
        "throttle",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_throttle")),
    )
    op.create_index("ix_throttle_until", "throttle", ["until"])


def downgrade() -> None:
    """Everybody may try again."""
    op.drop_table("throttle")
