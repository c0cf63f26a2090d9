"""`/audit`: what happened, by whom, from where, and how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed
from registry.admin.paging import Page, Paged
from registry.admin.texts import ONE_LINE, Instant, PatternText
from registry.core.administration import demand_registry
from registry.core.audit import Event, Mark, Wanted
from registry.core.facts import Outcome
from registry.core.granting import fit_pattern

router = APIRouter(prefix="/audit", tags=["audit"])


class ShownEvent(BaseModel):
    """Something that happened, as it was told of then."""

    id: int
    at: datetime
    action: str
    outcome: str
    who: str = Field(description="the name that it had then")
    address: str = Field(description="from where")
    repository: str
    reference: str
    digest: str | None
    target: str = Field(description="to whom or what, where that is no repository")
    detail: str
    seal: int | None = Field(description="the seal that holds it, if one does by now")

    @classmethod
    def of(cls, event: Event) -> Self:
        """As it is shown."""
        return cls(
            id=event.id,
            at=event.at,
            action=event.action,
            outcome=event.outcome,
            who=event.who,
            address=event.address,
            repository=event.repository,
            reference=event.reference,
            digest=None if event.digest is None else str(event.digest),
            target=event.target,
            detail=event.detail,
            seal=event.seal,
        )


async def _wanted(
    since: Annotated[Instant | None, Query(description="included")] = None,
    until: Annotated[Instant | None, Query(description="not included")] = None,
    who: Annotated[str, Query(max_length=140, pattern=ONE_LINE)] = "",
    action: Annotated[str, Query(max_length=100, pattern=ONE_LINE, examples=["manifest.push"])] = "",
    outcome: Outcome | None = None,
    repository: Annotated[PatternText | None, Query(description="a pattern")] = None,
) -> Wanted:
    return Wanted(since, until, who, action, fit_pattern(repository) if repository else None, outcome)


@router.get("", summary="What happened, newest first")
async def list_events(
    admin: Admin, caller: Signed, paging: Paged, wanted: Annotated[Wanted, Depends(_wanted)]
) -> Page[ShownEvent]:
    """For administrators. Whatever is asked for must fit all of it."""
    demand_registry(caller)
    found = await admin.ask(admin.audit.page, paging.after or None, paging.more, wanted)
    return paging.page(found, ShownEvent.of, lambda event: str(Mark.behind(event)))
