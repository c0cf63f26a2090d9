"""`/scrub`: how much of what is kept was read again lately, and what turned out damaged."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed
from registry.admin.paging import Page, Paged
from registry.core.administration import demand_registry
from registry.core.facts import ContentKind
from registry.core.scrub_facts import Damaged
from registry.core.scrub_status import ScrubStatus, mark_of

router = APIRouter(prefix="/scrub", tags=["scrub"])


class Reading(BaseModel):
    """A large object that is being read."""

    key: str
    offset: int = Field(description="bytes of it that were read")


class LastScrub(BaseModel):
    """What came of the last pass that had something to do."""

    began: datetime
    ended: datetime
    is_whole: bool = Field(description="false where the process was stopped before everything was read that was due")
    objects: int
    contents: int = Field(description="manifests and small blobs, which lie in the database")
    bytes: int
    damaged: int = Field(description="found or still so")
    healed: int = Field(description="damaged before, and right")
    unread: int = Field(description="what could not be asked for, and is tried again")


class ShownScrub(BaseModel):
    """How scrubbing stands; what is marked damaged is counted apart."""

    every: int = Field(description="seconds for which what was verified is left alone; 0 where nothing is read again")
    objects: int
    bytes: int
    verified: int = Field(description="objects that were verified for the last time within `every`")
    verified_bytes: int
    oldest: datetime | None = Field(description="when the object was verified that was so the longest ago")
    contents: int = Field(description="manifests and small blobs, which lie in the database")
    contents_verified: int = Field(description="fewer while they are being read")
    contents_walked: datetime | None = Field(description="when all of them had been read, unless they are being read")
    damaged_blobs: int
    damaged_manifests: int
    doubted: int = Field(description="objects whose medium does not give their bytes, and may yet")
    reading: Reading | None
    last: LastScrub | None

    @classmethod
    def of(cls, status: ScrubStatus) -> Self:
        """As it is shown."""
        return cls.model_validate(status.document())


class ShownDamage(BaseModel):
    """Something that is answered by 404 until it is pushed again, anywhere."""

    kind: ContentKind
    digest: str
    size: int
    since: datetime
    repositories: list[str] = Field(description="some of those that serve it")
    tags: list[str] = Field(description="some of those that lead to it")
    more_places: bool

    @classmethod
    def of(cls, damaged: Damaged) -> Self:
        """As it is shown."""
        return cls.model_validate(damaged.document())


@router.get("", summary="How much was read again lately, and what came of it")
async def get_scrub(admin: Admin, caller: Signed) -> ShownScrub:
    """For administrators."""
    demand_registry(caller)
    return ShownScrub.of(await admin.ask(admin.scrub.status))


@router.get("/damaged", summary="What is damaged, blobs first, by digest")
async def list_damaged(admin: Admin, caller: Signed, paging: Paged) -> Page[ShownDamage]:
    """For administrators. Each is served again after the next push of it, to any repository."""
    demand_registry(caller)
    found = await admin.ask(admin.scrub.damaged, paging.after, paging.more)
    return paging.page(found, ShownDamage.of, mark_of)
