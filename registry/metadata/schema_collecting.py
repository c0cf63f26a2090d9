"""The table of what the collector did lately."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from registry.metadata.columns import INSTANT, metadata, row_id

collector_run: Final = sa.Table(
    "collector_run",
    metadata,
    row_id(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("began_at", INSTANT, nullable=False),
    sa.Column("ended_at", INSTANT, nullable=False),
    # How many of what, as JSON.
    sa.Column("counts", sa.Text, nullable=False),
    sa.CheckConstraint("kind IN ('collected', 'swept')", name="kind"),
)
