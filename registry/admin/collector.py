"""`/collector`: how it stands, what it did and will do; to pause it, and to have it look now."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed, refusals
from registry.admin.paging import Page, Paged
from registry.admin.texts import ONE_LINE, Strict
from registry.admin.versions import Conditional, tag_of
from registry.core.administration import demand_registry
from registry.core.collect_facts import CollectorRun, RunKind
from registry.core.collect_plan import Candidate, Fate, after_mark, mark_of
from registry.core.collector_service import CollectorStatus, before_mark, document_of
from registry.core.facts import ContentKind

router = APIRouter(prefix="/collector", tags=["collector"])


class ShownWaiting(BaseModel):
    """Things that wait for their time."""

    count: int
    bytes: int
    first: datetime | None = Field(description="when the first one's time has come")


class ShownRun(BaseModel):
    """One that did something, or was asked for."""

    id: int
    kind: RunKind
    began: datetime
    ended: datetime
    counts: dict[str, int] = Field(description="how many of what")

    @classmethod
    def of(cls, run: CollectorRun) -> Self:
        """As it is shown."""
        return cls.model_validate(document_of(run))


class ShownCollector(BaseModel):
    """How the collector stands."""

    paused: str | None = Field(description="why nothing goes, where that is so")
    is_wanted: bool = Field(description="whether a round was asked for that has not been made yet")
    waiting: int = Field(description="candidates, which are looked at when they are due")
    due: int
    doomed: ShownWaiting = Field(description="objects that nobody names, deleted when their time has come")
    uploads: ShownWaiting = Field(description="open sessions, which expire")
    next: datetime | None = Field(description="when there is something to do next")
    last: ShownRun | None

    @classmethod
    def of(cls, status: CollectorStatus) -> Self:
        """As it is shown."""
        return cls.model_validate(status.document())


class CollectorWanted(Strict):
    """The collector as it is to be."""

    is_paused: bool
    reason: Annotated[str, Field(max_length=200, pattern=ONE_LINE)] = ""


class ShownCandidate(BaseModel):
    """Something that is looked at, and what becomes of it by what is known now."""

    fate: Fate
    kind: ContentKind
    digest: str
    repository: str
    reason: str
    when: datetime = Field(description="when it is looked at")
    frees: int = Field(description="bytes that go with it")

    @classmethod
    def of(cls, candidate: Candidate) -> Self:
        """As it is shown."""
        return cls.model_validate(candidate.document())


@router.get("", summary="How the collector stands")
async def get_collector(admin: Admin, caller: Signed, response: Response) -> ShownCollector:
    """For administrators."""
    demand_registry(caller)
    return _shown(await admin.ask(admin.collector.status), response)


@router.put("", summary="Pause the collector, or let it go on", responses=refusals(412))
async def put_collector(
    wanted: CollectorWanted, admin: Admin, caller: Signed, condition: Conditional, response: Response
) -> ShownCollector:
    """For administrators. While it is paused nothing goes, neither rows nor bytes; why it was paused first, stays."""
    demand_registry(caller)
    if wanted.is_paused:
        await admin.ask(admin.collector.pause, wanted.reason, caller, lambda paused: condition.demand(_tag(paused)))
    else:
        await admin.ask(admin.collector.resume, caller, lambda paused: condition.demand(_tag(paused)))
    return _shown(await admin.ask(admin.collector.status), response)


@router.get("/plan", summary="What becomes of what waits, the longest due first")
async def list_plan(admin: Admin, caller: Signed, paging: Paged) -> Page[ShownCandidate]:
    """For administrators. Each as of now; it is decided when it is looked at."""
    demand_registry(caller)
    found = await admin.ask(admin.plan.page, after_mark(paging.after), paging.more)
    return paging.page(found, ShownCandidate.of, mark_of)


@router.get("/runs", summary="What the collector did lately, the latest first")
async def list_runs(admin: Admin, caller: Signed, paging: Paged) -> Page[ShownRun]:
    """For administrators. Of those that did something, or were asked for, the last hundred."""
    demand_registry(caller)
    found = await admin.ask(admin.collector.runs, before_mark(paging.after), paging.more)
    return paging.page(found, ShownRun.of, lambda run: str(run.id))


@router.post("/runs", summary="Have the collector look now", status_code=202, responses=refusals(409))
async def post_run(admin: Admin, caller: Signed, response: Response) -> ShownCollector:
    """For administrators. Whoever does background work looks within seconds; the run is told of when it is done."""
    demand_registry(caller)
    await admin.ask(admin.collector.ask, caller)
    return _shown(await admin.ask(admin.collector.status), response)


def _shown(status: CollectorStatus, response: Response) -> ShownCollector:
    response.headers["ETag"] = _tag(status.paused)
    return ShownCollector.of(status)


def _tag(paused: str | None) -> str:
    """Of what can be put; the rest changes by itself."""
    return tag_of(paused or "")
