"""Queries: which repository serves which blob, and until when a lease alone holds the link (design §3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import ContentKind, ObjectKey, Repository, StoredBlob
from registry.metadata.instants import from_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import blob, content, link, manifest, reference, repository, review, stored_object
from registry.metadata.statements import Overtaken, Row, Statement
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName

_PAGE: Final = 50
# What a repository serves, as one row: also the statement of the pull path.
served: Final = (
    sa.select(blob.c.size, stored_object.c.key, content.c.bytes, link.c.lease_until)
    .select_from(
        link.join(blob, blob.c.id == link.c.blob_id)
        .outerjoin(stored_object, stored_object.c.id == blob.c.object_id)
        .outerjoin(content, content.c.id == blob.c.content_id)
    )
    .where(link.c.digest == p("digest"), link.c.deleted_at.is_(None), blob.c.damaged_at.is_(None))
)
_FIND: Final = served.where(link.c.repository_id == p("repository"))
_NAMES: Final = (
    sa.select(repository.c.name)
    .select_from(blob.join(link, link.c.blob_id == blob.c.id).join(repository, repository.c.id == link.c.repository_id))
    .where(
        blob.c.digest == p("digest"),
        blob.c.damaged_at.is_(None),
        link.c.deleted_at.is_(None),
        repository.c.deleted_at.is_(None),
        repository.c.name > p("last"),
    )
    .order_by(repository.c.name)
    .limit(_PAGE)
)
_ADD: Final = (
    insert(link)
    .from_select(
        ["repository_id", "digest", "blob_id", "lease_until"],
        sa.select(p("repository"), blob.c.digest, blob.c.id, p("lease_until")).where(blob.c.digest == p("digest")),
    )
    .on_conflict_do_nothing(index_elements=["repository_id", "digest"])
    .returning(link.c.blob_id)
)
_AGAIN: Final = (
    sa.update(link)
    .where(link.c.repository_id == p("repository"), link.c.digest == p("which"))
    .values(lease_until=p("lease_until"), deleted_at=sa.null())
    .returning(link.c.blob_id)
)
_RENEW: Final = (
    sa.update(link)
    .where(link.c.repository_id == p("repository"), link.c.digest == p("which"), link.c.deleted_at.is_(None))
    .values(lease_until=p("lease_until"))
    .returning(link.c.blob_id)
)
_PARTS: Final = (
    sa.select(reference.c.digest)
    .select_from(reference.join(manifest, manifest.c.id == reference.c.manifest_id))
    .where(manifest.c.repository_id == p("repository"), manifest.c.digest == p("manifest"))
)
# By digest, like everybody who locks more than one (design §2).
_RENEWED: Final = (
    sa.select(link.c.digest)
    .where(link.c.repository_id == p("repository"), link.c.digest.in_(_PARTS))
    .order_by(link.c.digest)
)
_RENEW_PARTS: Final = (
    sa.update(link)
    .where(link.c.repository_id == p("repository"), link.c.digest.in_(_RENEWED.with_for_update(key_share=True)))
    .values(lease_until=p("lease_until"))
)
_REVIEW_PARTS: Final = (
    insert(review)
    .from_select(
        ["repository_id", "kind", "digest", "due_at"],
        _RENEWED.with_only_columns(
            p("repository"), sa.literal(ContentKind.BLOB.value), link.c.digest, p("lease_until")
        ),
    )
    .on_conflict_do_update(index_elements=["repository_id", "kind", "digest"], set_={"due_at": p("lease_until")})
)
_HIDE: Final = (
    sa.update(link)
    .where(link.c.repository_id == p("repository"), link.c.digest == p("which"), link.c.deleted_at.is_(None))
    .values(deleted_at=p("deleted_at"))
    .returning(link.c.blob_id)
)


def as_blob(digest: Digest, row: Row) -> StoredBlob:
    """A row of `served`."""
    size, key, content_bytes, lease_until = row
    return StoredBlob(digest, size, ObjectKey(key) if key else None, content_bytes, from_micros(lease_until))


class Links:
    """`ports.Links`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def find(self, repository: Repository, digest: Digest) -> StoredBlob | None:
        """What the repository serves under this digest."""
        row = self._moment.first(_FIND, repository=repository.id, digest=digest.packed)
        return as_blob(digest, row) if row else None

    def find_anywhere(self, digest: Digest, readable: Callable[[RepositoryName], bool]) -> RepositoryName | None:
        """The first repository by name that serves it and satisfies `readable`; looked for page by page."""
        last = ""
        while page := self._moment.run(_NAMES, digest=digest.packed, last=last):
            names = [RepositoryName(name) for (name,) in page]
            found = next(filter(readable, names), None)
            if found is not None:
                return found
            last = names[-1].text
        return None

    def put(self, repository: Repository, digest: Digest, lease: timedelta) -> bool:
        """Link the blob, or show its hidden link again; whether the link is new."""
        until = self._after(lease)
        if self._moment.run(_ADD, repository=repository.id, digest=digest.packed, lease_until=until):
            return True
        if not self._moment.run(_AGAIN, repository=repository.id, which=digest.packed, lease_until=until):
            # Collected since we were told that it exists, the link or the blob itself.
            raise Overtaken(str(digest))
        return False

    def renew(self, repository: Repository, digest: Digest, lease: timedelta) -> bool:
        """A visible link holds for another lease."""
        return bool(
            self._moment.run(_RENEW, repository=repository.id, which=digest.packed, lease_until=self._after(lease))
        )

    def renew_parts(self, repository: Repository, manifest: Digest, lease: timedelta) -> None:
        """What a manifest holds no longer may still be wanted by a push under way."""
        self._run(_RENEW_PARTS, repository, manifest, lease)

    def review_parts(self, repository: Repository, manifest: Digest, lease: timedelta) -> None:
        """To be looked at when their leases are over."""
        self._run(_REVIEW_PARTS, repository, manifest, lease)

    def hide(self, repository: Repository, digest: Digest) -> bool:
        """Invisible at once; the row stays until the collector has looked at it."""
        return bool(
            self._moment.run(_HIDE, repository=repository.id, which=digest.packed, deleted_at=self._moment.micros)
        )

    def _run(self, statement: Statement, repository: Repository, manifest: Digest, lease: timedelta) -> None:
        self._moment.run(statement, repository=repository.id, manifest=manifest.packed, lease_until=self._after(lease))

    def _after(self, lease: timedelta) -> int:
        return self._moment.micros + lease // timedelta(microseconds=1)
