"""Groups, robots, sign-ins from elsewhere, personal tokens and sessions, and grants that can be named (design 7)."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Nobody could be given a grant so far, so that table is made anew."""
    for column in (
        sa.Column("source", sa.Text(), server_default="local", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("warned_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
    ):
        op.add_column("principal", column)
    op.create_index(
        "uq_principal_source_external_id",
        "principal",
        ["source", "external_id"],
        unique=True,
        sqlite_where=sa.text("external_id IS NOT NULL"),
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.create_table(
        "membership",
        sa.Column("group_id", _ID, nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["principal.id"], name=op.f("fk_membership_group_id")),
        sa.ForeignKeyConstraint(["member_id"], ["principal.id"], name=op.f("fk_membership_member_id")),
        sa.PrimaryKeyConstraint("group_id", "member_id", "source", name=op.f("pk_membership")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_membership_member_id", "membership", ["member_id"])
    _extend_credential()
    op.drop_table("grant")
    _create_grant(
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by", _ID, nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["principal.id"], name=op.f("fk_grant_created_by")),
        sa.UniqueConstraint("uuid", name=op.f("uq_grant_uuid")),
    )


def _extend_credential() -> None:
    with op.batch_alter_table("credential") as batch:
        batch.add_column(sa.Column("uuid", sa.Text(), nullable=True))
        batch.add_column(sa.Column("limits", sa.Text(), server_default="", nullable=False))
        batch.add_column(sa.Column("parent_id", _ID, nullable=True))
        batch.add_column(sa.Column("made_from", sa.Text(), server_default="", nullable=False))
        batch.add_column(sa.Column("hint", sa.Text(), server_default="", nullable=False))
    credential = sa.table("credential", sa.column("id"), sa.column("uuid"))
    connection = op.get_bind()
    for (row,) in connection.execute(sa.select(credential.c.id)).fetchall():
        connection.execute(sa.update(credential).where(credential.c.id == row).values(uuid=str(uuid.uuid4())))
    with op.batch_alter_table("credential") as batch:
        batch.alter_column("uuid", existing_type=sa.Text(), nullable=False)
        batch.create_unique_constraint(op.f("uq_credential_uuid"), ["uuid"])
        batch.create_foreign_key(op.f("fk_credential_parent_id"), "credential", ["parent_id"], ["id"])
    op.create_index("ix_credential_parent_id", "credential", ["parent_id"])
    op.create_index(
        "uq_credential_hashed",
        "credential",
        ["secret"],
        unique=True,
        sqlite_where=sa.text("kind != 'password'"),
        postgresql_where=sa.text("kind != 'password'"),
    )


def _create_grant(*more: sa.schema.SchemaItem) -> None:
    columns = [each for each in more if isinstance(each, sa.Column)]
    constraints = [each for each in more if not isinstance(each, sa.Column)]
    op.create_table(
        "grant",
        sa.Column("id", _ID, nullable=False),
        sa.Column("principal_id", _ID, nullable=False),
        sa.Column("pattern", _NAME, nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.Column("denies", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        *columns,
        *constraints,
        sa.ForeignKeyConstraint(["principal_id"], ["principal.id"], name=op.f("fk_grant_principal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grant")),
        sa.UniqueConstraint("principal_id", "pattern", "denies", name=op.f("uq_grant_principal_id_pattern_denies")),
    )


def downgrade() -> None:
    """Back to one account; whoever else there was is there, and nothing knows how to let them in."""
    op.drop_table("grant")
    _create_grant()
    op.drop_index("uq_credential_hashed", "credential")
    op.drop_index("ix_credential_parent_id", "credential")
    with op.batch_alter_table("credential") as batch:
        batch.drop_constraint(op.f("fk_credential_parent_id"), type_="foreignkey")
        batch.drop_constraint(op.f("uq_credential_uuid"), type_="unique")
        for column in ("hint", "made_from", "parent_id", "limits", "uuid"):
            batch.drop_column(column)
    op.drop_table("membership")
    op.drop_index("uq_principal_source_external_id", "principal")
    for name in ("version", "warned_at", "expires_at", "description", "external_id", "source"):
        op.drop_column("principal", name)
