"""When a manifest lost its tags is found by its digest, however long the past of a repository is."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """For rules of retention, which ask it of each manifest without a tag."""
    op.create_index("ix_tag_history_repository_id_digest", "tag_history", ["repository_id", "digest", "ended_at"])


def downgrade() -> None:
    """Nobody asks."""
    op.drop_index("ix_tag_history_repository_id_digest", "tag_history")
