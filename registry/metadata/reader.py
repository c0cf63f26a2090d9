"""The pull path's lookups on SQLite: one prepared statement each, on the event loop's own connection (design §6).

10 µs each, where the hop into a thread that would keep them off the loop costs 150.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import Credential, Referrer, StoredBlob, StoredManifest
from registry.metadata.accounts import as_credential, credential_by_id, password_of
from registry.metadata.links import as_blob, served
from registry.metadata.schema import content, link, manifest, repository, tag
from registry.metadata.statements import Row, Run
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag

_LIVE: Final = (repository.c.name == p("name"), repository.c.deleted_at.is_(None))
_MANIFESTS: Final = (
    sa.select(manifest.c.digest, manifest.c.media_type, content.c.bytes)
    .where(*_LIVE, manifest.c.repository_id == repository.c.id, manifest.c.deleted_at.is_(None))
    .where(content.c.id == manifest.c.content_id)
)
_BY_DIGEST: Final = _MANIFESTS.where(manifest.c.digest == p("digest"))
_BY_TAG: Final = _MANIFESTS.where(
    tag.c.repository_id == repository.c.id, tag.c.name == p("tag"), manifest.c.id == tag.c.manifest_id
)
_BLOB: Final = served.where(*_LIVE, link.c.repository_id == repository.c.id)
_KNOWS: Final = sa.select(repository.c.id).where(*_LIVE)
_TAGS: Final = (
    sa.select(tag.c.name)
    .where(*_LIVE, tag.c.repository_id == repository.c.id, tag.c.name > p("last"))
    .order_by(tag.c.name)
    .limit(p("limit"))
)
# A repository that holds nothing yet, because its first push is under way or failed, is no news to anybody.
_CATALOG: Final = (
    sa.select(repository.c.name)
    .where(repository.c.name > p("last"), repository.c.deleted_at.is_(None))
    .where(
        sa.exists()
        .where(manifest.c.repository_id == repository.c.id, manifest.c.deleted_at.is_(None))
        .correlate(repository)
    )
    .order_by(repository.c.name)
    .limit(p("limit"))
)
_REFERRERS: Final = (
    sa.select(
        manifest.c.media_type, manifest.c.digest, manifest.c.size, manifest.c.artifact_type, manifest.c.annotations
    )
    .where(*_LIVE, manifest.c.repository_id == repository.c.id, manifest.c.deleted_at.is_(None))
    .where(manifest.c.subject == p("subject"), manifest.c.digest > p("last"))
    .order_by(manifest.c.digest)
    .limit(p("limit"))
)
_REFERRERS_OF_TYPE: Final = _REFERRERS.where(manifest.c.artifact_type == p("artifact_type"))


class SqliteReader:
    """`ports.Reader`, and the two lookups by which a caller is recognised; asynchronous only in name on SQLite."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def manifest(self, name: RepositoryName, reference: Tag | Digest) -> StoredManifest | None:
        """The manifest that a tag or digest names, with its bytes."""
        if isinstance(reference, Digest):
            row = _first(self._run(_BY_DIGEST, name=name.text, digest=reference.packed))
        else:
            row = _first(self._run(_BY_TAG, name=name.text, tag=reference.text))
        return StoredManifest(Digest.unpack(row[0]), row[1], row[2]) if row else None

    async def blob(self, name: RepositoryName, digest: Digest) -> StoredBlob | None:
        """What the repository serves under this digest."""
        row = _first(self._run(_BLOB, name=name.text, digest=digest.packed))
        return as_blob(digest, row) if row else None

    async def knows(self, name: RepositoryName) -> bool:
        """Whether there is such a repository."""
        return bool(self._run(_KNOWS, name=name.text))

    async def tags(self, name: RepositoryName, last: str, limit: int) -> Sequence[str]:
        """Tags after `last`, by their bytes."""
        return [row[0] for row in self._run(_TAGS, name=name.text, last=last, limit=limit)]

    async def catalog(self, last: str, limit: int) -> Sequence[str]:
        """Repositories after `last` that hold a manifest, by their bytes."""
        return [row[0] for row in self._run(_CATALOG, last=last, limit=limit)]

    async def referrers(
        self, name: RepositoryName, subject: Digest, artifact_type: str | None, last: Digest | None, limit: int
    ) -> Sequence[Referrer]:
        """Visible manifests with this subject, by their digests."""
        values = {"name": name.text, "subject": subject.packed, "last": last.packed if last else b"", "limit": limit}
        if artifact_type is None:
            rows = self._run(_REFERRERS, **values)
        else:
            rows = self._run(_REFERRERS_OF_TYPE, artifact_type=artifact_type, **values)
        return [Referrer(row[0], Digest.unpack(row[1]), row[2], row[3], row[4]) for row in rows]

    async def password(self, name: str) -> Credential | None:
        """The password that this name may sign in with by now."""
        row = _first(self._run(password_of, name=name, now=_now()))
        return as_credential(row) if row else None

    async def credential(self, credential_id: int) -> Credential | None:
        """The credential, if it is good by now."""
        row = _first(self._run(credential_by_id, credential=credential_id, now=_now()))
        return as_credential(row) if row else None


def _first(rows: list[Row]) -> Row | None:
    return rows[0] if rows else None


def _now() -> int:
    return time.time_ns() // 1000
