"""`/repositories/{repository}/-/…`: what its tags were, and what was deleted in it, to be looked at and had back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed, refusals
from registry.admin.paging import Page, Paged
from registry.admin.repositories import Named
from registry.admin.services import Administration
from registry.admin.texts import Instant, Strict
from registry.core.facts import DeletedManifest, Interval
from registry.core.repository_rights import Deed
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag

router = APIRouter(prefix="/repositories/{repository:path}/-", tags=["repositories"])


class ShownInterval(BaseModel):
    """What a tag pointed to, from when to when."""

    digest: str
    since: datetime
    by: str = Field(description="who set it")
    ended: datetime | None = Field(description="none for the present")
    ended_by: str | None

    @classmethod
    def of(cls, interval: Interval) -> Self:
        """As it is shown."""
        return cls(
            digest=str(interval.digest),
            since=interval.since,
            by=interval.by,
            ended=interval.ended,
            ended_by=interval.ended_by or None,
        )


class TagWanted(Strict):
    """What a tag is to be again."""

    at: Instant | None = Field(default=None, description="as it was then; else as it was before its last change")


class RestoredTag(BaseModel):
    """Where a tag points now."""

    tag: str
    digest: str


class ShownManifest(BaseModel):
    """A manifest that was deleted; its size is without what it references."""

    digest: str
    media_type: str
    size: int
    deleted: datetime
    restorable_until: datetime

    @classmethod
    def of(cls, deleted: DeletedManifest, until: datetime) -> Self:
        """As it is shown."""
        return cls(
            digest=str(deleted.digest),
            media_type=deleted.media_type,
            size=deleted.size,
            deleted=deleted.deleted,
            restorable_until=until,
        )


async def _tagged(tag: Annotated[str, Path(pattern="^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$")]) -> Tag:
    return Tag.parse(tag)


async def _digested(digest: Annotated[str, Path(max_length=200)]) -> Digest:
    return Digest.parse(digest)


Tagged = Annotated[Tag, Depends(_tagged)]
Digested = Annotated[Digest, Depends(_digested)]
At = Annotated[Instant | None, Query(description="only what it was then")]


@router.get("/tags/{tag}/history", summary="What a tag was, latest first", responses=refusals(400, 404))
async def tag_history(
    name: Named, tag: Tagged, admin: Admin, caller: Signed, paging: Paged, at: At = None
) -> Page[ShownInterval]:
    """For whoever may pull it. Of a tag that never was, nothing."""
    admin.may.demand(caller, Deed.SEE, name)
    found = await admin.ask(_history, admin, name, tag, at)
    rest = [each for each in found if not paging.after or each.since.isoformat() < paging.after]
    return paging.page(rest[: paging.more], ShownInterval.of, lambda each: each.since.isoformat())


@router.post("/tags/{tag}/restore", summary="Point a tag at what it was", responses=refusals(400, 404, 409))
async def restore_tag(name: Named, tag: Tagged, wanted: TagWanted, admin: Admin, caller: Signed) -> RestoredTag:
    """For whoever holds push on it. Its manifest comes back too, if that was deleted."""
    admin.may.demand(caller, Deed.RESTORE, name)
    digest = await admin.ask(admin.undo.restore_tag, name, tag, caller, wanted.at)
    return RestoredTag(tag=str(tag), digest=str(digest))


@router.get("/deleted-manifests", summary="Manifests that were deleted, by digest", responses=refusals(400, 404))
async def list_deleted_manifests(name: Named, admin: Admin, caller: Signed, paging: Paged) -> Page[ShownManifest]:
    """For whoever holds push on it: those that can be restored."""
    admin.may.demand(caller, Deed.RESTORE, name)
    last = Digest.parse(paging.after) if paging.after else None
    found = await admin.ask(admin.undo.deleted_manifests, name, last, paging.more)
    return paging.page(
        found, lambda each: ShownManifest.of(each, admin.undo.ends(each.deleted)), lambda each: str(each.digest)
    )


@router.post(
    "/deleted-manifests/{digest}/restore",
    summary="Serve a deleted manifest again, under no tag",
    status_code=204,
    responses=refusals(400, 404, 409),
)
async def restore_manifest(name: Named, digest: Digested, admin: Admin, caller: Signed) -> None:
    """For whoever holds push on it. What is not deleted stays as it is."""
    admin.may.demand(caller, Deed.RESTORE, name)
    await admin.ask(admin.undo.restore_manifest, name, digest, caller)


@router.delete(
    "/deleted-manifests/{digest}",
    summary="Give up a deleted manifest for good",
    status_code=204,
    responses=refusals(400, 404, 409),
)
async def purge_manifest(name: Named, digest: Digested, admin: Admin, caller: Signed) -> None:
    """For whoever holds admin on it. Blobs that it alone held go with it, when their leases end."""
    admin.may.demand(caller, Deed.PURGE, name)
    await admin.ask(admin.undo.purge_manifest, name, digest, caller)


def _history(admin: Administration, name: RepositoryName, tag: Tag, at: datetime | None) -> Sequence[Interval]:
    return [each for each in admin.undo.history(name, tag) if at is None or each.holds(at)]
