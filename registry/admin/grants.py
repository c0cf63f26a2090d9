"""`/grants`: what each may do, or may not, to the repositories of a pattern.

A grant is named by what it is about: subject, allow or deny, and pattern. Whatever is put there replaces what was said
before, so that the same PUT again changes nothing; the UUID is its name for reading and taking back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed, refusals
from registry.admin.paging import Page, Paged
from registry.admin.services import Administration
from registry.admin.texts import ONE_LINE, Name, PatternText, Strict, Words
from registry.admin.versions import Condition, Conditional, answered
from registry.core.administration import demand_no_limits, demand_pattern, may_see
from registry.core.facts import Caller, GivenGrant
from registry.core.granting import fit_pattern
from registry.core.patterns import Pattern
from registry.core.refusals import GrantUnknown

router = APIRouter(prefix="/grants", tags=["grants"])


class Effect(StrEnum):
    """Which way a grant decides; a denial wins."""

    ALLOW = "allow"
    DENY = "deny"

    @classmethod
    def of(cls, *, denies: bool) -> Self:
        """As it is shown."""
        return cls(cls.DENY if denies else cls.ALLOW)


class ShownGrant(BaseModel):
    """What a subject may do, or may not."""

    uuid: UUID
    subject: str = Field(description="a user `alice`, a group `@devs`, a robot `team+ci`, or `anyone`")
    effect: Effect
    pattern: str
    actions: list[str]
    created: datetime
    by: str

    @classmethod
    def of(cls, given: GivenGrant) -> Self:
        """As it is shown."""
        grant = given.grant
        return cls(
            uuid=UUID(grant.uuid),
            subject=grant.subject,
            effect=Effect.of(denies=grant.denies),
            pattern=grant.pattern.text,
            actions=list(grant.actions),
            created=given.created,
            by=given.by,
        )


class GrantWanted(Strict):
    """The actions; presets stand for several."""

    actions: Words


@dataclass(frozen=True, slots=True)
class Place:
    """What a grant is about: at most one stands there."""

    subject: str
    pattern: Pattern
    denies: bool

    def put(
        self, admin: Administration, actions: Sequence[str], by: Caller, condition: Condition
    ) -> tuple[GivenGrant, bool]:
        """What stands there now, and whether nothing did. Raises: as `GrantService.put`."""
        former = admin.grants.find(self.subject, self.pattern.text, denies=self.denies)
        version = condition.version(former)
        given = admin.grants.put(self.subject, self.pattern.text, actions, by, denies=self.denies, version=version)
        return given, former is None


async def _place(subject: Name, effect: Effect, pattern: Annotated[PatternText, Query()]) -> Place:
    return Place(subject, fit_pattern(pattern), denies=effect is Effect.DENY)


Placed = Annotated[Place, Depends(_place)]
Subject = Annotated[str | None, Query(max_length=140, pattern=ONE_LINE, description="those to this one only")]


@router.get("", summary="Grants, in no order of meaning", responses=refusals(404))
async def list_grants(admin: Admin, caller: Signed, paging: Paged, subject: Subject = None) -> Page[ShownGrant]:
    """Those that are the caller's to give, and those that concern it."""
    demand_no_limits(caller)
    found = await admin.ask(admin.grants.page_for, caller, paging.after, paging.more, subject)
    return paging.page(found, ShownGrant.of, lambda given: given.grant.uuid)


@router.put(
    "/{subject}/{effect}",  # noqa: FAST003  the parts of a `Place`
    summary="Say what a subject may do, or may not, on a pattern",
    responses={201: {"model": ShownGrant, "description": "Nothing was said before"}, **refusals(404, 412)},
)
async def put_grant(
    place: Placed, wanted: GrantWanted, admin: Admin, caller: Signed, condition: Conditional, response: Response
) -> ShownGrant:
    """For whoever holds admin on all of the pattern. It replaces what was said of this subject and pattern before."""
    demand_pattern(caller, place.pattern)
    given, is_new = await admin.ask(place.put, admin, wanted.actions, caller, condition)
    answered(response, given, is_new=is_new)
    return ShownGrant.of(given)


@router.get("/{uuid}", summary="One grant", responses=refusals(404))
async def get_grant(uuid: UUID, admin: Admin, caller: Signed, response: Response) -> ShownGrant:
    """One that is the caller's to give, or concerns it."""
    demand_no_limits(caller)
    given = await admin.ask(_seen, admin, uuid, caller)
    answered(response, given)
    return ShownGrant.of(given)


@router.delete("/{uuid}", summary="Take a grant back", status_code=204, responses=refusals(404, 412))
async def delete_grant(uuid: UUID, admin: Admin, caller: Signed, condition: Conditional) -> None:
    """For whoever holds admin on all of its pattern."""
    demand_no_limits(caller)
    given = await admin.ask(_seen, admin, uuid, caller)
    demand_pattern(caller, given.grant.pattern)
    await admin.ask(admin.grants.remove, str(uuid), caller, version=condition.version(given))


def _seen(admin: Administration, uuid: UUID, caller: Caller) -> GivenGrant:
    """Raises: GrantUnknown, as well for one that is not the caller's to see."""
    given = admin.grants.get(str(uuid))
    if not may_see(caller, given.grant):
        raise GrantUnknown(uuid=str(uuid))
    return given
