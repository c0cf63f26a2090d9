"""Queries: manifests of a repository, and what they reference."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import Caller, ContentKind, Repository
from registry.metadata.contents import put_content
from registry.metadata.instants import from_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import blob, content, link, manifest, reference, repository, tag
from registry.metadata.statements import Overtaken, Statement
from registry.oci.digest import Digest
from registry.oci.manifest import Kind, Manifest, Reference
from registry.oci.names import Tag

_VISIBLE: Final = (manifest.c.repository_id == p("repository"), manifest.c.deleted_at.is_(None))
# Held: whoever deletes it, or makes its deletion a mistake, does so with what the other one did before the eyes.
_BY_DIGEST: Final = (
    sa.select(manifest.c.digest).where(*_VISIBLE, manifest.c.digest == p("digest")).with_for_update(key_share=True)
)
_BY_TAG: Final = (
    sa.select(manifest.c.digest)
    .select_from(tag.join(manifest, manifest.c.id == tag.c.manifest_id))
    .where(*_VISIBLE, tag.c.repository_id == p("repository"), tag.c.name == p("tag"))
)
_KNOWN: Final = (
    sa.select(manifest.c.id, manifest.c.deleted_at)
    .where(manifest.c.repository_id == p("repository"), manifest.c.digest == p("digest"))
    .with_for_update(key_share=True)
)
_ADD: Final = (
    insert(manifest)
    .values(
        {
            each: p(each)
            for each in (
                "repository_id", "digest", "content_id", "media_type", "size", "subject", "artifact_type",
                "annotations", "pushed_at", "pushed_by",
            )
        }
    )
    .on_conflict_do_nothing(index_elements=["repository_id", "digest"])
    .returning(manifest.c.id)
)  # fmt: skip
_ADD_REFERENCE: Final = sa.insert(reference).values(
    {each: p(each) for each in ("manifest_id", "position", "kind", "repository_id", "digest", "size")}
)
_FIRST_PUSH: Final = (
    sa.update(repository)
    .where(repository.c.id == p("which"), repository.c.pushed_at.is_(None))
    .values(pushed_at=p("pushed_at"))
)
_REVIVE: Final = (
    sa.update(manifest)
    .where(manifest.c.id == p("manifest"))
    .values(
        deleted_at=sa.null(),
        pushed_at=p("pushed_at"),
        pushed_by=p("pushed_by"),
        media_type=p("media_type"),
        artifact_type=p("artifact_type"),
    )
)
_AGAIN: Final = (
    sa.update(manifest)
    .where(manifest.c.id == p("manifest"))
    .values(media_type=p("media_type"), artifact_type=p("artifact_type"), pushed_at=p("pushed_at"))
)
_RESTORE: Final = (
    sa.update(manifest)
    .where(manifest.c.repository_id == p("repository"), manifest.c.digest == p("which"))
    # As if it had been pushed again: else a rule about manifests without a tag would end it the next moment.
    .values(deleted_at=sa.null(), pushed_at=p("pushed_at"))
)
_PARTS: Final = (
    sa.select(reference.c.kind, reference.c.digest, reference.c.size)
    .select_from(reference.join(manifest, manifest.c.id == reference.c.manifest_id))
    .where(
        manifest.c.repository_id == p("repository"), manifest.c.digest == p("digest"), reference.c.kind < p("subject")
    )
    .order_by(reference.c.position)
)
_DELETE: Final = (
    sa.update(manifest)
    .where(
        manifest.c.repository_id == p("repository"), manifest.c.digest == p("which"), manifest.c.deleted_at.is_(None)
    )
    .values(deleted_at=p("deleted_at"))
    .returning(manifest.c.id)
)
# Held FOR SHARE where the database knows row locks: the collector cannot take away what was just found (design §3).
_BLOBS: Final = (
    sa.select(link.c.digest)
    .select_from(link.join(blob, blob.c.id == link.c.blob_id))
    .where(link.c.repository_id == p("repository"), link.c.deleted_at.is_(None), blob.c.damaged_at.is_(None))
    .order_by(link.c.digest)
    .with_for_update(read=True, of=link)
)
_CHILDREN: Final = (
    sa.select(manifest.c.digest)
    .select_from(manifest.join(content, content.c.id == manifest.c.content_id))
    .where(*_VISIBLE, content.c.damaged_at.is_(None))
    .order_by(manifest.c.digest)
    .with_for_update(read=True, of=manifest)
)
# Asked for in lots of these sizes, the last one filled up by repetition: so that there are few texts to prepare.
_LOTS: Final = (1, 2, 4, 8, 16, 32, 64)


def _among(column: sa.Column[bytes], lot: int) -> sa.ColumnElement[bool]:
    return column.in_([p(f"digest_{number}") for number in range(lot)])


_HAS_BLOBS: Final = {lot: _BLOBS.where(_among(link.c.digest, lot)) for lot in _LOTS}
_HAS_CHILDREN: Final = {lot: _CHILDREN.where(_among(manifest.c.digest, lot)) for lot in _LOTS}
_SOME: Final = 10
_HOLDERS: Final = (
    sa.select(manifest.c.digest)
    .select_from(reference.join(manifest, manifest.c.id == reference.c.manifest_id))
    .where(
        reference.c.repository_id == p("repository"),
        reference.c.digest == p("digest"),
        reference.c.kind >= p("first_kind"),
        reference.c.kind <= p("last_kind"),
        manifest.c.deleted_at.is_(None),
    )
    .limit(_SOME)
)
# As what a manifest may hold a blob, and as what another manifest: one digest can name both (design §4).
HELD_AS: Final = {ContentKind.BLOB: (Kind.CONFIG, Kind.LAYER), ContentKind.MANIFEST: (Kind.CHILD, Kind.CHILD)}


class Manifests:
    """`ports.Manifests`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def find(self, repository: Repository, reference: Tag | Digest) -> Digest | None:
        """The digest of the visible manifest that a tag or digest names."""
        if isinstance(reference, Digest):
            row = self._moment.first(_BY_DIGEST, repository=repository.id, digest=reference.packed)
        else:
            row = self._moment.first(_BY_TAG, repository=repository.id, tag=reference.text)
        return Digest.unpack(row[0]) if row else None

    def put(self, repository: Repository, digest: Digest, content: bytes, manifest: Manifest, by: Caller) -> bool:
        """Keep it, or revive it; whether its row is new."""
        if self._add(repository, digest, content, manifest, by):
            return True
        known = self._moment.first(_KNOWN, repository=repository.id, digest=digest.packed)
        if known is None:
            raise Overtaken(str(digest))
        manifest_id, deleted_at = known
        said = {"media_type": manifest.media_type, "artifact_type": manifest.artifact_type}
        if deleted_at is None:
            # Pushed again, perhaps under the type it should have had: the latest Content-Type is the one to answer.
            # And it was pushed now: what is pushed each night is in use, though it never changes.
            self._moment.run(_AGAIN, manifest=manifest_id, pushed_at=self._moment.micros, **said)
            return False
        self._moment.run(_REVIVE, manifest=manifest_id, pushed_at=self._moment.micros, pushed_by=by.principal, **said)
        return False

    def _add(self, repository: Repository, digest: Digest, content: bytes, manifest: Manifest, by: Caller) -> bool:
        subject = manifest.subject
        row = self._moment.first(
            _ADD,
            repository_id=repository.id,
            digest=digest.packed,
            content_id=put_content(self._moment, digest, content),
            media_type=manifest.media_type,
            size=len(content),
            subject=subject.packed if subject else None,
            artifact_type=manifest.artifact_type,
            annotations=json.dumps(manifest.annotations, separators=(",", ":")),
            pushed_at=self._moment.micros,
            pushed_by=by.principal,
        )
        if row is None:
            return False
        if not repository.is_pushed:
            self._moment.run(_FIRST_PUSH, which=repository.id, pushed_at=self._moment.micros)
        references = [
            {
                "manifest_id": row[0],
                "position": position,
                "kind": each.kind.value,
                "repository_id": repository.id,
                "digest": each.digest.packed,
                "size": each.size,
            }
            for position, each in enumerate(manifest.references)
        ]
        if references:
            self._moment.run_many(_ADD_REFERENCE, references)
        return True

    def missing(self, repository: Repository, parts: Sequence[Reference]) -> Sequence[Digest]:
        """Those of the parts that are not served here, in the order of their digests."""
        blobs = {each.digest.packed for each in parts if each.kind is not Kind.CHILD}
        children = {each.digest.packed for each in parts if each.kind is Kind.CHILD}
        missing = self._without(_HAS_BLOBS, repository, blobs) | self._without(_HAS_CHILDREN, repository, children)
        return [Digest.unpack(digest) for digest in sorted(missing)]

    def _without(self, has: Mapping[int, Statement], repository: Repository, wanted: set[bytes]) -> set[bytes]:
        """Those that are not there; the others are held, in the order of their digests."""
        left = sorted(wanted)
        while left:
            lot = next((size for size in _LOTS if size >= len(left)), _LOTS[-1])
            asked, left = left[:lot], left[lot:]
            filled = asked + asked[-1:] * (lot - len(asked))
            digests = {f"digest_{number}": digest for number, digest in enumerate(filled)}
            wanted = wanted - {row[0] for row in self._moment.run(has[lot], repository=repository.id, **digests)}
        return wanted

    def delete(self, repository: Repository, digest: Digest) -> bool:
        """Invisible at once, restorable within the undo window; whether it was visible."""
        return bool(
            self._moment.run(_DELETE, repository=repository.id, which=digest.packed, deleted_at=self._moment.micros)
        )

    def parts(self, repository: Repository, digest: Digest) -> Sequence[Reference]:
        """What the manifest, deleted or not, references, but for its subject."""
        rows = self._moment.run(_PARTS, repository=repository.id, digest=digest.packed, subject=Kind.SUBJECT.value)
        return [Reference(Kind(kind), Digest.unpack(part), size, "") for kind, part, size in rows]

    def hold_deleted(self, repository: Repository, digest: Digest) -> datetime | None:
        """When it was deleted; None where it is visible, or not there."""
        known = self._moment.first(_KNOWN, repository=repository.id, digest=digest.packed)
        return from_micros(known[1]) if known and known[1] is not None else None

    def revive(self, repository: Repository, digest: Digest) -> None:
        """Serve a deleted one again, as if it had been pushed now."""
        self._moment.run(_RESTORE, repository=repository.id, which=digest.packed, pushed_at=self._moment.micros)

    def holders(self, repository: Repository, kind: ContentKind, digest: Digest) -> Sequence[Digest]:
        """Visible manifests that would break without it; some of them."""
        first, last = HELD_AS[kind]
        rows = self._moment.run(
            _HOLDERS, repository=repository.id, digest=digest.packed, first_kind=first.value, last_kind=last.value
        )
        return [Digest.unpack(row[0]) for row in rows]
