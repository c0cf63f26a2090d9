"""The tables of what is allowed of what there is: how much, and how tags come and go.

project, principal ─< quota (or all of them)          tag_rule
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from registry.metadata.columns import ID, INSTANT, NAME, metadata, row_id, row_of

# A limit of a project, of what a user owns, or (subject 0) of each that has none of its own.
quota: Final = sa.Table(
    "quota",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("subject_id", ID, primary_key=True, autoincrement=False),
    sa.Column("resource", sa.Text, primary_key=True),
    sa.Column("hard", sa.BigInteger),
    sa.Column("soft", sa.BigInteger),
    sa.Column("changed_at", INSTANT, nullable=False),
    row_of("changed_by", "principal.id"),
    sa.CheckConstraint("scope IN ('project', 'user')", name="scope"),
    sa.CheckConstraint("resource IN ('bytes', 'repositories', 'tags', 'uploads')", name="resource"),
    sqlite_with_rowid=False,
)

# What is kept of the tags that it looks at, or which of them stay where they are.
tag_rule: Final = sa.Table(
    "tag_rule",
    metadata,
    row_id(),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    # Patterns: of repositories; of tags; of tags that are excepted. The last two may be several, with spaces between.
    sa.Column("repositories", NAME, nullable=False),
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("exceptions", sa.Text, nullable=False, server_default=""),
    # What a rule of retention keeps, as JSON.
    sa.Column("keeps", sa.Text, nullable=False, server_default="{}"),
    sa.Column("is_enabled", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("created_at", INSTANT, nullable=False),
    row_of("created_by", "principal.id"),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.CheckConstraint("kind IN ('retention', 'immutable')", name="kind"),
)
