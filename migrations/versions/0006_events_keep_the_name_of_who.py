"""Events keep the name of who it was, and seals the hash of their events apart: an audit log that stays checkable."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_HASH = sa.LargeBinary()


def upgrade() -> None:
    """Earlier events take the names as they are by now. Nothing has been sealed at this revision."""
    op.add_column("event", sa.Column("who", _NAME, server_default="", nullable=False))
    op.execute("UPDATE event SET who = (SELECT name FROM principal WHERE principal.id = event.principal_id)")
    with op.batch_alter_table("seal") as seal:
        seal.add_column(sa.Column("events_hash", _HASH, nullable=False))


def downgrade() -> None:
    """A chain of seals that say less is none."""
    op.execute("UPDATE event SET seal_id = NULL")
    op.execute("DELETE FROM seal")
    with op.batch_alter_table("seal") as seal:
        seal.drop_column("events_hash")
    op.drop_column("event", "who")
