"""The pull path's lookups: one prepared statement each, written once for every database (design §6).

On SQLite they are answered on the event loop's own connection: 10 µs each, where the hop into a thread that would keep
them off the loop costs 150.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import Credential, Referrer, StoredBlob, StoredManifest
from registry.core.rights import Rights
from registry.core.visible import ALL_VISIBLE, Visible
from registry.metadata.catalog import listings
from registry.metadata.links import as_blob, served
from registry.metadata.recognition import (
    admin_groups_of,
    as_credential,
    as_rights,
    credential_by_id,
    credential_hashed,
    grants_generation,
    grants_to,
    password_of,
)
from registry.metadata.schema import content, link, manifest, repository, tag
from registry.metadata.statements import Row, Run, Statement
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag

_LIVE: Final = (repository.c.name == p("name"), repository.c.deleted_at.is_(None))
_FACTS: Final = sa.select(manifest.c.digest, manifest.c.media_type, manifest.c.size).where(
    *_LIVE, manifest.c.deleted_at.is_(None), content.c.id == manifest.c.content_id, content.c.damaged_at.is_(None)
)
_FACTS_BY_DIGEST: Final = _FACTS.where(manifest.c.repository_id == repository.c.id, manifest.c.digest == p("digest"))
# By way of the tag alone: to say once more that the manifest is the repository's would offer a way through all of its
# manifests, which a planner takes that has not counted them yet.
_FACTS_BY_TAG: Final = _FACTS.where(
    tag.c.repository_id == repository.c.id, tag.c.name == p("tag"), manifest.c.id == tag.c.manifest_id
)
_BY_DIGEST: Final = _FACTS_BY_DIGEST.add_columns(content.c.bytes)
_BY_TAG: Final = _FACTS_BY_TAG.add_columns(content.c.bytes)
_BLOB: Final = served.where(*_LIVE, link.c.repository_id == repository.c.id)
_KNOWS: Final = sa.select(repository.c.id).where(*_LIVE)
_TAGS: Final = (
    sa.select(tag.c.name)
    .where(*_LIVE, tag.c.repository_id == repository.c.id, tag.c.name > p("last"))
    .order_by(tag.c.name)
    .limit(p("limit"))
)
_REFERRING: Final = (
    *_LIVE,
    manifest.c.repository_id == repository.c.id,
    manifest.c.deleted_at.is_(None),
    manifest.c.subject == p("subject"),
    manifest.c.digest > p("last"),
)
_OF_TYPE: Final = manifest.c.artifact_type == p("artifact_type")
# Sizes first: they stand at the row's beginning, where annotations may fill many pages.
_SIZES: Final = sa.select(manifest.c.size).where(*_REFERRING).order_by(manifest.c.digest).limit(p("limit"))
_REFERRERS: Final = (
    sa.select(
        manifest.c.media_type, manifest.c.digest, manifest.c.size, manifest.c.artifact_type, manifest.c.annotations
    )
    .where(*_REFERRING)
    .order_by(manifest.c.digest)
    .limit(p("limit"))
)
_SIZES_OF_TYPE: Final = _SIZES.where(_OF_TYPE)
_REFERRERS_OF_TYPE: Final = _REFERRERS.where(_OF_TYPE)
_MOST_TOGETHER: Final = 4 << 20


class Lookups(ABC):
    """`ports.Reader` but for its version, and the two lookups by which a caller is recognised."""

    @abstractmethod
    async def _run(self, statement: Statement, /, **values: object) -> list[Row]:
        """Execute a statement with the values of its parameters; all rows."""

    async def manifest(self, name: RepositoryName, reference: Tag | Digest) -> StoredManifest | None:
        """The manifest that a tag or digest names, with its bytes."""
        row = await self._named(_BY_TAG, _BY_DIGEST, name, reference)
        return StoredManifest(Digest.unpack(row[0]), *row[1:]) if row else None

    async def manifest_facts(self, name: RepositoryName, reference: Tag | Digest) -> StoredManifest | None:
        """The manifest without its bytes."""
        row = await self._named(_FACTS_BY_TAG, _FACTS_BY_DIGEST, name, reference)
        return StoredManifest(Digest.unpack(row[0]), row[1], row[2], b"") if row else None

    async def _named(
        self, by_tag: Statement, by_digest: Statement, name: RepositoryName, reference: Tag | Digest
    ) -> Row | None:
        if isinstance(reference, Digest):
            return _first(await self._run(by_digest, name=name.text, digest=reference.packed))
        return _first(await self._run(by_tag, name=name.text, tag=reference.text))

    async def blob(self, name: RepositoryName, digest: Digest) -> StoredBlob | None:
        """What the repository serves under this digest."""
        row = _first(await self._run(_BLOB, name=name.text, digest=digest.packed))
        return as_blob(digest, row) if row else None

    async def knows(self, name: RepositoryName) -> bool:
        """Whether there is such a repository."""
        return bool(await self._run(_KNOWS, name=name.text))

    async def tags(self, name: RepositoryName, last: str, limit: int) -> Sequence[str]:
        """Tags after `last`, by their bytes."""
        return [row[0] for row in await self._run(_TAGS, name=name.text, last=last, limit=limit)]

    async def catalog(self, last: str, limit: int, visible: Visible = ALL_VISIBLE) -> Sequence[str]:
        """Those visible repositories after `last` that hold a manifest, by their bytes."""
        found: list[str] = []
        for statement, values in listings(visible, last):
            if len(found) < limit:
                rows = await self._run(statement, last=last, limit=limit - len(found), **values)
                found += [row[0] for row in rows]
        return found

    async def referrers(
        self, name: RepositoryName, subject: Digest, artifact_type: str | None, last: Digest | None, limit: int
    ) -> tuple[Sequence[Referrer], bool]:
        """Visible manifests with this subject, by their digests, and whether there are more."""
        sizes, referrers = (_SIZES, _REFERRERS) if artifact_type is None else (_SIZES_OF_TYPE, _REFERRERS_OF_TYPE)
        where = {"name": name.text, "subject": subject.packed, "last": last.packed if last else b""}
        if artifact_type is not None:
            where["artifact_type"] = artifact_type
        present = [row[0] for row in await self._run(sizes, limit=limit + 1, **where)]
        fitting = sum(total <= _MOST_TOGETHER for total in accumulate(present))
        taken = min(limit, max(fitting, 1))
        rows = await self._run(referrers, limit=taken, **where) if present and limit else []
        return [Referrer(row[0], Digest.unpack(row[1]), *row[2:]) for row in rows], len(present) > taken

    async def password(self, name: str) -> Credential | None:
        """The password that this name may sign in with by now, and by this machine's clock."""
        row = _first(await self._run(password_of, name=name, now=_now()))
        return as_credential(row) if row else None

    async def hashed(self, secret: str) -> Credential | None:
        """The credential of our own making with this hash, if it is good by now, and by this machine's clock."""
        row = _first(await self._run(credential_hashed, secret=secret, now=_now()))
        return as_credential(row) if row else None

    async def generation(self) -> int:
        """That of all grants."""
        row = _first(await self._run(grants_generation))
        return int(row[0]) if row else 0

    async def rights(self, principal: int) -> Rights:
        """What has been granted to it, to its groups and to everybody."""
        grants = await self._run(grants_to, principal=principal)
        return as_rights(grants, await self._run(admin_groups_of, principal=principal, yes=True))

    async def credential(self, credential_id: int) -> Credential | None:
        """The credential, if it is good by now, and by this machine's clock."""
        row = _first(await self._run(credential_by_id, credential=credential_id, now=_now()))
        return as_credential(row) if row else None


class SqliteReader(Lookups):
    """On SQLite, asynchronous only in name."""

    is_prompt: Final = True

    def __init__(self, run: Run, version: Callable[[], int]) -> None:
        """Both are the same connection's."""
        self._ask = run
        self.version = version

    async def _run(self, statement: Statement, /, **values: object) -> list[Row]:
        return self._ask(statement, **values)


def _first(rows: list[Row]) -> Row | None:
    return rows[0] if rows else None


def _now() -> int:
    return time.time_ns() // 1000
