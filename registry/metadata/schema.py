"""Every table, drawn once. Digests are one algorithm byte and the raw digest; instants are UTC microseconds.

principal ─< credential, grant          signing_key   setting   generation   lease
project ─< repository ─< manifest ─< reference        content (manifest bytes, small blobs)
   │            │  │        └──< tag    tag_history
   │            │  ├──< link >── blob ── object (owns a storage key for life) or content
   │            │  └──< upload ── object
   └─< project_content, reservation     review   event
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

CONVENTION: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: Final = sa.MetaData(naming_convention=CONVENTION)

# SQLite gives row ids to INTEGER only, and they are 64 bits wide there.
_Id: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# Names sort by their bytes on every database (design §2).
_Name: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_Instant: Final = sa.BigInteger()
_Digest: Final = sa.LargeBinary()


def _id() -> sa.Column[int]:
    return sa.Column("id", _Id, primary_key=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, _Id, sa.ForeignKey(target), nullable=nullable)


principal: Final = sa.Table(
    "principal",
    metadata,
    _id(),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", _Name, nullable=False, unique=True),
    sa.Column("is_admin", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", _Instant, nullable=False),
    sa.Column("disabled_at", _Instant),
)

credential: Final = sa.Table(
    "credential",
    metadata,
    _id(),
    _ref("principal_id", "principal.id"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False, server_default=""),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("created_at", _Instant, nullable=False),
    sa.Column("expires_at", _Instant),
    sa.Column("revoked_at", _Instant),
    sa.Column("used_at", _Instant),
    sa.Index("ix_credential_principal_id", "principal_id"),
)

grant: Final = sa.Table(
    "grant",
    metadata,
    _id(),
    _ref("principal_id", "principal.id"),
    sa.Column("pattern", _Name, nullable=False),
    sa.Column("actions", sa.Text, nullable=False),
    sa.Column("denies", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", _Instant, nullable=False),
    sa.UniqueConstraint("principal_id", "pattern", "denies"),
)

signing_key: Final = sa.Table(
    "signing_key",
    metadata,
    sa.Column("kid", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("created_at", _Instant, nullable=False),
    sa.Column("expires_at", _Instant, nullable=False),
)

project: Final = sa.Table(
    "project",
    metadata,
    _id(),
    sa.Column("name", _Name, nullable=False, unique=True),
    _ref("owner_id", "principal.id", nullable=True),
    sa.Column("used", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("quota", sa.BigInteger),
    sa.Column("created_at", _Instant, nullable=False),
)

repository: Final = sa.Table(
    "repository",
    metadata,
    _id(),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    sa.Column("name", _Name, nullable=False),
    _ref("project_id", "project.id"),
    sa.Column("created_at", _Instant, nullable=False),
    # The first manifest: before it, a repository is but a place for uploads, and no news to anybody.
    sa.Column("pushed_at", _Instant),
    sa.Column("deleted_at", _Instant),
    sa.Index("ix_repository_project_id", "project_id"),
)
_PUSHED: Final = sa.and_(repository.c.deleted_at.is_(None), repository.c.pushed_at.is_not(None))
sa.Index("ix_repository_pushed", repository.c.name, sqlite_where=_PUSHED, postgresql_where=_PUSHED)
# A deleted repository keeps its row until its undo window ends; its name is free at once (design §3).
sa.Index(
    "uq_repository_name_live",
    repository.c.name,
    unique=True,
    sqlite_where=repository.c.deleted_at.is_(None),
    postgresql_where=repository.c.deleted_at.is_(None),
)

content: Final = sa.Table(
    "content",
    metadata,
    _id(),
    sa.Column("digest", _Digest, nullable=False, unique=True),
    sa.Column("bytes", sa.LargeBinary, nullable=False),
)

manifest: Final = sa.Table(
    "manifest",
    metadata,
    _id(),
    _ref("repository_id", "repository.id"),
    sa.Column("digest", _Digest, nullable=False),
    _ref("content_id", "content.id"),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("subject", _Digest),
    sa.Column("artifact_type", sa.Text),
    sa.Column("annotations", sa.Text, nullable=False, server_default="{}"),
    sa.Column("pushed_at", _Instant, nullable=False),
    _ref("pushed_by", "principal.id"),
    sa.Column("pulled_at", _Instant),
    sa.Column("deleted_at", _Instant),
    sa.UniqueConstraint("repository_id", "digest"),
    sa.Index("ix_manifest_content_id", "content_id"),
)
sa.Index(
    "ix_manifest_subject",
    manifest.c.repository_id,
    manifest.c.subject,
    manifest.c.digest,
    sqlite_where=manifest.c.subject.is_not(None),
    postgresql_where=manifest.c.subject.is_not(None),
)

# Found by (repository, digest) and not by the blob's row, so that a blob which comes later finds who waits for it.
reference: Final = sa.Table(
    "reference",
    metadata,
    sa.Column("manifest_id", _Id, sa.ForeignKey("manifest.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    _ref("repository_id", "repository.id"),
    sa.Column("digest", _Digest, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Index("ix_reference_repository_id_digest", "repository_id", "digest"),
    sqlite_with_rowid=False,
)

tag: Final = sa.Table(
    "tag",
    metadata,
    sa.Column("repository_id", _Id, sa.ForeignKey("repository.id"), primary_key=True),
    sa.Column("name", _Name, primary_key=True),
    _ref("manifest_id", "manifest.id"),
    sa.Column("set_at", _Instant, nullable=False),
    _ref("set_by", "principal.id"),
    sa.Index("ix_tag_manifest_id", "manifest_id"),
    sqlite_with_rowid=False,
)

tag_history: Final = sa.Table(
    "tag_history",
    metadata,
    _id(),
    _ref("repository_id", "repository.id"),
    sa.Column("name", _Name, nullable=False),
    sa.Column("digest", _Digest, nullable=False),
    sa.Column("set_at", _Instant, nullable=False),
    _ref("set_by", "principal.id"),
    sa.Column("ended_at", _Instant, nullable=False),
    _ref("ended_by", "principal.id"),
    sa.Index("ix_tag_history_repository_id_name_set_at", "repository_id", "name", "set_at"),
)

# `object` is what SQL calls this table; `stored_object` what Python may.
stored_object: Final = sa.Table(
    "object",
    metadata,
    _id(),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("multipart", sa.Text),
    sa.Column("changed_at", _Instant, nullable=False),
    sa.CheckConstraint("state IN ('receiving', 'live', 'doomed')", name="state"),
)
sa.Index(
    "ix_object_doomed",
    stored_object.c.changed_at,
    sqlite_where=stored_object.c.state == "doomed",
    postgresql_where=stored_object.c.state == "doomed",
)

blob: Final = sa.Table(
    "blob",
    metadata,
    _id(),
    sa.Column("digest", _Digest, nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("object_id", _Id, sa.ForeignKey("object.id"), unique=True),
    _ref("content_id", "content.id", nullable=True),
    sa.Column("damaged_at", _Instant),
    sa.Column("verified_at", _Instant, nullable=False),
    sa.CheckConstraint("(object_id IS NULL) <> (content_id IS NULL)", name="bytes"),
    sa.Index("ix_blob_content_id", "content_id"),
)

link: Final = sa.Table(
    "link",
    metadata,
    sa.Column("repository_id", _Id, sa.ForeignKey("repository.id"), primary_key=True),
    sa.Column("digest", _Digest, primary_key=True),
    _ref("blob_id", "blob.id"),
    sa.Column("lease_until", _Instant, nullable=False),
    sa.Column("deleted_at", _Instant),
    sa.Index("ix_link_blob_id", "blob_id"),
    sqlite_with_rowid=False,
)

project_content: Final = sa.Table(
    "project_content",
    metadata,
    sa.Column("project_id", _Id, sa.ForeignKey("project.id"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("digest", _Digest, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("links", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

upload: Final = sa.Table(
    "upload",
    metadata,
    _id(),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    _ref("repository_id", "repository.id"),
    _ref("principal_id", "principal.id"),
    sa.Column("object_id", _Id, sa.ForeignKey("object.id"), unique=True),
    sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("offset", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("algorithm", sa.Text, nullable=False),
    sa.Column("hash_format", sa.Text, nullable=False, server_default=""),
    sa.Column("hash_state", sa.LargeBinary),
    sa.Column("finished", _Digest),
    sa.Column("created_at", _Instant, nullable=False),
    sa.Column("expires_at", _Instant, nullable=False),
    sa.Column("stored", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_upload_expires_at", "expires_at"),
    sa.Index("ix_upload_repository_id", "repository_id"),
)

reservation: Final = sa.Table(
    "reservation",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    sa.Column("upload_id", _Id, sa.ForeignKey("upload.id", ondelete="CASCADE"), nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("expires_at", _Instant, nullable=False),
    sa.Index("ix_reservation_project_id_expires_at", "project_id", "expires_at"),
)

review: Final = sa.Table(
    "review",
    metadata,
    sa.Column("repository_id", _Id, sa.ForeignKey("repository.id"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("digest", _Digest, primary_key=True),
    sa.Column("due_at", _Instant, nullable=False),
    sa.Index("ix_review_due_at", "due_at"),
    sqlite_with_rowid=False,
)

event: Final = sa.Table(
    "event",
    metadata,
    _id(),
    sa.Column("at", _Instant, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    _ref("principal_id", "principal.id"),
    sa.Column("repository", _Name, nullable=False),
    sa.Column("reference", sa.Text, nullable=False, server_default=""),
    sa.Column("digest", _Digest),
)

generation: Final = sa.Table(
    "generation",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False, server_default="0"),
)

lease: Final = sa.Table(
    "lease",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("until", _Instant, nullable=False),
)

setting: Final = sa.Table(
    "setting",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
