"""How much there may be, and how tags come and go: quotas, rules of tags, pulls; what looks for the oldest finds it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_DELETED = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    """Nobody is limited yet, and no tag follows a rule."""
    op.create_table(
        "quota",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject_id", _ID, autoincrement=False, nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("hard", sa.BigInteger(), nullable=True),
        sa.Column("soft", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", _ID, nullable=False),
        sa.CheckConstraint("scope IN ('project', 'user')", name=op.f("ck_quota_scope")),
        sa.CheckConstraint("resource IN ('bytes', 'repositories', 'tags', 'uploads')", name=op.f("ck_quota_resource")),
        sa.ForeignKeyConstraint(["changed_by"], ["principal.id"], name=op.f("fk_quota_changed_by")),
        sa.PrimaryKeyConstraint("scope", "subject_id", "resource", name=op.f("pk_quota")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tag_rule",
        sa.Column("id", _ID, nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("repositories", _NAME, nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("exceptions", sa.Text(), server_default="", nullable=False),
        sa.Column("keeps", sa.Text(), server_default="{}", nullable=False),
        sa.Column("is_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", _ID, nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("kind IN ('retention', 'immutable')", name=op.f("ck_tag_rule_kind")),
        sa.ForeignKeyConstraint(["created_by"], ["principal.id"], name=op.f("fk_tag_rule_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_rule")),
        sa.UniqueConstraint("uuid", name=op.f("uq_tag_rule_uuid")),
    )
    op.add_column("manifest", sa.Column("pulls", sa.BigInteger(), server_default="0", nullable=False))
    # Never set by any program: limits have a table of their own.
    op.drop_column("project", "quota")
    op.create_index("ix_project_owner_id", "project", ["owner_id"])
    op.create_index(
        "ix_repository_deleted", "repository", ["deleted_at"], sqlite_where=_DELETED, postgresql_where=_DELETED
    )
    op.create_index("ix_blob_verified_at", "blob", ["verified_at", "id"])


def downgrade() -> None:
    """Everybody may do as before, and no tag goes by itself."""
    op.drop_index("ix_blob_verified_at", "blob")
    op.drop_index("ix_repository_deleted", "repository")
    op.drop_index("ix_project_owner_id", "project")
    op.add_column("project", sa.Column("quota", sa.BigInteger(), nullable=True))
    op.drop_column("manifest", "pulls")
    op.drop_table("tag_rule")
    op.drop_table("quota")
