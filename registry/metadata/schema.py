"""Every table, drawn once. Digests are one algorithm byte and the raw digest; instants are UTC microseconds.

principal (see schema_people)   quota, tag_rule (see schema_rules)   setting   generation   lease
project ─< repository ─< manifest ─< reference        content (manifest bytes, small blobs)
   │            │  │        └──< tag    tag_history
   │            │  ├──< link >── blob ── object (owns a storage key for life) or content
   │            │  └──< upload ── object
   └─< project_content, reservation     review   collector_run (see schema_collecting)   event >── seal
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from registry.metadata import columns, schema_collecting, schema_rules  # noqa: F401  their tables belong to the same whole
from registry.metadata.columns import DIGEST, ID, INSTANT, NAME, row_id, row_of
from registry.metadata.schema_people import principal

metadata: Final = columns.metadata
project: Final = sa.Table(
    "project",
    metadata,
    row_id(),
    sa.Column("name", NAME, nullable=False, unique=True),
    row_of("owner_id", principal.c.id, nullable=True),
    sa.Column("used", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("created_at", INSTANT, nullable=False),
    sa.Index("ix_project_owner_id", "owner_id"),
)

repository: Final = sa.Table(
    "repository",
    metadata,
    row_id(),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    sa.Column("name", NAME, nullable=False),
    row_of("project_id", "project.id"),
    sa.Column("created_at", INSTANT, nullable=False),
    # The first manifest: before it, a repository is but a place for uploads, and no news to anybody.
    sa.Column("pushed_at", INSTANT),
    sa.Column("deleted_at", INSTANT),
    sa.Index("ix_repository_project_id", "project_id"),
)
_PUSHED: Final = sa.and_(repository.c.deleted_at.is_(None), repository.c.pushed_at.is_not(None))
sa.Index("ix_repository_pushed", repository.c.name, sqlite_where=_PUSHED, postgresql_where=_PUSHED)
_DELETED: Final = repository.c.deleted_at.is_not(None)
sa.Index("ix_repository_deleted", repository.c.deleted_at, sqlite_where=_DELETED, postgresql_where=_DELETED)
_UNUSED: Final = sa.and_(repository.c.deleted_at.is_(None), repository.c.pushed_at.is_(None))
sa.Index("ix_repository_unused", repository.c.created_at, sqlite_where=_UNUSED, postgresql_where=_UNUSED)
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
    row_id(),
    sa.Column("digest", DIGEST, nullable=False, unique=True),
    sa.Column("bytes", sa.LargeBinary, nullable=False),
    # The bytes are others than the digest says: what takes them is not served until it is pushed again.
    sa.Column("damaged_at", INSTANT),
)
_WRONG: Final = content.c.damaged_at.is_not(None)
sa.Index("ix_content_damaged", content.c.digest, sqlite_where=_WRONG, postgresql_where=_WRONG)

manifest: Final = sa.Table(
    "manifest",
    metadata,
    row_id(),
    row_of("repository_id", "repository.id"),
    sa.Column("digest", DIGEST, nullable=False),
    row_of("content_id", "content.id"),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("subject", DIGEST),
    sa.Column("artifact_type", sa.Text),
    sa.Column("annotations", sa.Text, nullable=False, server_default="{}"),
    sa.Column("pushed_at", INSTANT, nullable=False),
    row_of("pushed_by", principal.c.id),
    sa.Column("pulled_at", INSTANT),
    sa.Column("deleted_at", INSTANT),
    sa.Column("pulls", sa.BigInteger, nullable=False, server_default="0"),
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
    sa.Column("manifest_id", ID, sa.ForeignKey("manifest.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    row_of("repository_id", "repository.id"),
    sa.Column("digest", DIGEST, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Index("ix_reference_repository_id_digest", "repository_id", "digest"),
    sqlite_with_rowid=False,
)

tag: Final = sa.Table(
    "tag",
    metadata,
    sa.Column("repository_id", ID, sa.ForeignKey("repository.id"), primary_key=True),
    sa.Column("name", NAME, primary_key=True),
    row_of("manifest_id", "manifest.id"),
    sa.Column("set_at", INSTANT, nullable=False),
    row_of("set_by", principal.c.id),
    sa.Index("ix_tag_manifest_id", "manifest_id"),
    sqlite_with_rowid=False,
)

tag_history: Final = sa.Table(
    "tag_history",
    metadata,
    row_id(),
    row_of("repository_id", "repository.id"),
    sa.Column("name", NAME, nullable=False),
    sa.Column("digest", DIGEST, nullable=False),
    sa.Column("set_at", INSTANT, nullable=False),
    row_of("set_by", principal.c.id),
    sa.Column("ended_at", INSTANT, nullable=False),
    row_of("ended_by", principal.c.id),
    sa.Index("ix_tag_history_repository_id_name_set_at", "repository_id", "name", "set_at"),
    sa.Index("ix_tag_history_repository_id_digest", "repository_id", "digest", "ended_at"),
)

# `object` is what SQL calls this table; `stored_object` what Python may.
stored_object: Final = sa.Table(
    "object",
    metadata,
    row_id(),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("multipart", sa.Text),
    sa.Column("changed_at", INSTANT, nullable=False),
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
    row_id(),
    sa.Column("digest", DIGEST, nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("object_id", ID, sa.ForeignKey("object.id"), unique=True),
    row_of("content_id", "content.id", nullable=True),
    sa.Column("damaged_at", INSTANT),
    # When its bytes were last read and compared with the digest; whether they were right is what `damaged_at` tells.
    sa.Column("verified_at", INSTANT, nullable=False),
    sa.CheckConstraint("(object_id IS NULL) <> (content_id IS NULL)", name="bytes"),
    sa.Index("ix_blob_content_id", "content_id"),
)
_DAMAGED: Final = blob.c.damaged_at.is_not(None)
# What was verified longest ago is the next to be verified; small blobs and damaged ones are looked at elsewhere.
_READ: Final = sa.and_(blob.c.object_id.is_not(None), blob.c.damaged_at.is_(None))
sa.Index("ix_blob_verified_at", blob.c.verified_at, blob.c.id, sqlite_where=_READ, postgresql_where=_READ)
sa.Index("ix_blob_damaged", blob.c.digest, sqlite_where=_DAMAGED, postgresql_where=_DAMAGED)

link: Final = sa.Table(
    "link",
    metadata,
    sa.Column("repository_id", ID, sa.ForeignKey("repository.id"), primary_key=True),
    sa.Column("digest", DIGEST, primary_key=True),
    row_of("blob_id", "blob.id"),
    sa.Column("lease_until", INSTANT, nullable=False),
    sa.Column("deleted_at", INSTANT),
    sa.Index("ix_link_blob_id", "blob_id"),
    sqlite_with_rowid=False,
)

project_content: Final = sa.Table(
    "project_content",
    metadata,
    sa.Column("project_id", ID, sa.ForeignKey("project.id"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("digest", DIGEST, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("links", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

upload: Final = sa.Table(
    "upload",
    metadata,
    row_id(),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    row_of("repository_id", "repository.id"),
    row_of("principal_id", principal.c.id),
    sa.Column("object_id", ID, sa.ForeignKey("object.id"), unique=True),
    sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("offset", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("algorithm", sa.Text, nullable=False),
    sa.Column("hash_format", sa.Text, nullable=False, server_default=""),
    sa.Column("hash_state", sa.LargeBinary),
    sa.Column("finished", DIGEST),
    sa.Column("created_at", INSTANT, nullable=False),
    sa.Column("expires_at", INSTANT, nullable=False),
    sa.Column("stored", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_upload_expires_at", "expires_at"),
    sa.Index("ix_upload_repository_id", "repository_id"),
)

reservation: Final = sa.Table(
    "reservation",
    metadata,
    row_id(),
    row_of("project_id", "project.id"),
    sa.Column("upload_id", ID, sa.ForeignKey("upload.id", ondelete="CASCADE"), nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("expires_at", INSTANT, nullable=False),
    sa.Index("ix_reservation_project_id_expires_at", "project_id", "expires_at"),
)

review: Final = sa.Table(
    "review",
    metadata,
    sa.Column("repository_id", ID, sa.ForeignKey("repository.id"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("digest", DIGEST, primary_key=True),
    sa.Column("due_at", INSTANT, nullable=False),
    sa.Index("ix_review_due_at", "due_at"),
    sqlite_with_rowid=False,
)

event: Final = sa.Table(
    "event",
    metadata,
    row_id(),
    sa.Column("at", INSTANT, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    row_of("principal_id", principal.c.id),
    sa.Column("repository", NAME, nullable=False),
    sa.Column("reference", sa.Text, nullable=False, server_default=""),
    sa.Column("digest", DIGEST),
    sa.Column("outcome", sa.Text, nullable=False, server_default="done"),
    sa.Column("address", sa.Text, nullable=False, server_default=""),
    # As they were then: neither credential nor seal has to be there still.
    sa.Column("credential_id", ID),
    # Whom or what it was done to, where that is no repository.
    sa.Column("target", sa.Text, nullable=False, server_default=""),
    sa.Column("detail", sa.Text, nullable=False, server_default=""),
    sa.Column("seal_id", ID),
    # The name of `principal_id` as it was then: another may have it by now.
    sa.Column("who", NAME, nullable=False, server_default=""),
    sa.Index("ix_event_seal_id", "seal_id"),
    sa.Index("ix_event_at", "at"),
)
_UNSEALED: Final = event.c.seal_id.is_(None)
sa.Index("ix_event_unsealed", event.c.id, sqlite_where=_UNSEALED, postgresql_where=_UNSEALED)

# A chain: each seal hashes the one before it and its own events, so that no row of either changes unseen (core/audit).
seal: Final = sa.Table(
    "seal",
    metadata,
    row_id(),
    sa.Column("previous", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("events", sa.Integer, nullable=False),
    sa.Column("made_at", INSTANT, nullable=False),
    # Its events have been removed, as old ones are; the chain goes on over it.
    sa.Column("emptied_at", INSTANT),
    # Of the events alone: what the chain hashes, so that a seal can be checked when its events are gone.
    sa.Column("events_hash", sa.LargeBinary, nullable=False),
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
    sa.Column("until", INSTANT, nullable=False),
)

setting: Final = sa.Table(
    "setting",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
