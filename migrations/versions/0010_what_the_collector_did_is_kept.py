"""What the collector did lately has a table of its own; before, a setting told of the last time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Nothing is known of earlier runs but a line of text."""
    op.create_table(
        "collector_run",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('collected', 'swept')", name=op.f("ck_collector_run_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collector_run")),
    )
    op.execute("DELETE FROM setting WHERE name = 'collector_last'")


def downgrade() -> None:
    """The next run tells of itself in the setting again."""
    op.drop_table("collector_run")
