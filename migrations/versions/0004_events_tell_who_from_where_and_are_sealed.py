"""Events tell from where and with which outcome, and are chained by seals: an audit log (design 7)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """What happened earlier was done, from nowhere that is known."""
    for column in (
        sa.Column("outcome", sa.Text(), server_default="done", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("credential_id", _ID, nullable=True),
        sa.Column("target", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("seal_id", _ID, nullable=True),
    ):
        op.add_column("event", column)
    op.create_index("ix_event_seal_id", "event", ["seal_id"])
    op.create_index("ix_event_at", "event", ["at"])
    op.create_index(
        "ix_event_unsealed",
        "event",
        ["id"],
        sqlite_where=sa.text("seal_id IS NULL"),
        postgresql_where=sa.text("seal_id IS NULL"),
    )
    op.create_table(
        "seal",
        sa.Column("id", _ID, nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("emptied_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seal")),
        sa.UniqueConstraint("previous", name=op.f("uq_seal_previous")),
    )


def downgrade() -> None:
    """The chain goes; what happened stays."""
    op.drop_table("seal")
    for index in ("ix_event_unsealed", "ix_event_at", "ix_event_seal_id"):
        op.drop_index(index, "event")
    for name in ("seal_id", "detail", "target", "credential_id", "address", "outcome"):
        op.drop_column("event", name)
