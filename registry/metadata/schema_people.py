"""The tables of who there is, what proves it, and what each may do.

principal ─< membership, credential, grant          signing_key   throttle
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from registry.metadata.columns import ID, INSTANT, NAME, metadata, row_id, row_of

principal: Final = sa.Table(
    "principal",
    metadata,
    row_id(),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", NAME, nullable=False, unique=True),
    sa.Column("is_admin", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", INSTANT, nullable=False),
    sa.Column("disabled_at", INSTANT),
    # Who says that there is such a one: `local`, or a source of sign-ins, and how that source names it.
    sa.Column("source", sa.Text, nullable=False, server_default="local"),
    sa.Column("external_id", sa.Text),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("expires_at", INSTANT),
    sa.Column("warned_at", INSTANT),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
)
sa.Index(
    "uq_principal_source_external_id",
    principal.c.source,
    principal.c.external_id,
    unique=True,
    sqlite_where=principal.c.external_id.is_not(None),
    postgresql_where=principal.c.external_id.is_not(None),
)

# By the source that says so, too: what one source of sign-ins replaces at each login, another one keeps.
membership: Final = sa.Table(
    "membership",
    metadata,
    sa.Column("group_id", ID, sa.ForeignKey("principal.id"), primary_key=True),
    sa.Column("member_id", ID, sa.ForeignKey("principal.id"), primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Index("ix_membership_member_id", "member_id"),
    sqlite_with_rowid=False,
)

credential: Final = sa.Table(
    "credential",
    metadata,
    row_id(),
    row_of("principal_id", "principal.id"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False, server_default=""),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("created_at", INSTANT, nullable=False),
    sa.Column("expires_at", INSTANT),
    sa.Column("revoked_at", INSTANT),
    sa.Column("used_at", INSTANT),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    # What it may be used for at the most; empty for all that its principal may do.
    sa.Column("limits", sa.Text, nullable=False, server_default=""),
    # The one that was shown when this one was given out; revoked together.
    row_of("parent_id", "credential.id", nullable=True),
    sa.Column("made_from", sa.Text, nullable=False, server_default=""),
    # The beginning of a secret of our own making, by which its owner knows it again.
    sa.Column("hint", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_credential_principal_id", "principal_id"),
    sa.Index("ix_credential_parent_id", "parent_id"),
)
# Passwords are salted, and so are no names; what we made at random ourselves is found by its hash.
_HASHED: Final = credential.c.kind != "password"
sa.Index("uq_credential_hashed", credential.c.secret, unique=True, sqlite_where=_HASHED, postgresql_where=_HASHED)

grant: Final = sa.Table(
    "grant",
    metadata,
    row_id(),
    row_of("principal_id", "principal.id"),
    sa.Column("pattern", NAME, nullable=False),
    sa.Column("actions", sa.Text, nullable=False),
    sa.Column("denies", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", INSTANT, nullable=False),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    row_of("created_by", "principal.id"),
    sa.UniqueConstraint("principal_id", "pattern", "denies"),
)

signing_key: Final = sa.Table(
    "signing_key",
    metadata,
    sa.Column("kid", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("created_at", INSTANT, nullable=False),
    sa.Column("expires_at", INSTANT, nullable=False),
)

# From `until` on a source or an account has no failed login to its name; how far off that is, is how many it has.
throttle: Final = sa.Table(
    "throttle",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("until", INSTANT, nullable=False),
    sa.Index("ix_throttle_until", "until"),
)
