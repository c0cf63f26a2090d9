"""`/groups/{name}/members`: who is in a group, and who says so."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed, refusals
from registry.admin.paging import Page, Paged
from registry.admin.texts import Name
from registry.core.administration import demand_registry
from registry.core.facts import LOCAL
from registry.core.principal_names import group_name
from registry.core.refusals import PrincipalUnknown

router = APIRouter(prefix="/groups/{name}/members", tags=["groups"])


class Member(BaseModel):
    """A user or a robot that is in a group."""

    name: str
    source: str = Field(description="`local`, or the source of sign-ins that says so")


@router.get("", summary="Who is in a group, by name", responses=refusals(404))
async def list_members(name: Name, admin: Admin, caller: Signed, paging: Paged) -> Page[Member]:
    """For administrators."""
    demand_registry(caller)
    found = await admin.ask(admin.people.members, group_name(name), _last(paging.after), paging.more)
    return paging.page(found, lambda each: Member(name=each[0], source=each[1]), "/".join)


@router.put(
    "/{member}",
    summary="Put somebody into a group",
    responses={201: {"model": Member, "description": "It was not in it before"}, **refusals(404)},
)
async def put_member(name: Name, member: Name, admin: Admin, caller: Signed, response: Response) -> Member:
    """For administrators."""
    demand_registry(caller)
    if await admin.ask(admin.people.join, group_name(name), member, caller):
        response.status_code = 201
    return Member(name=member, source=LOCAL)


@router.delete("/{member}", summary="Take somebody out of a group", status_code=204, responses=refusals(404))
async def delete_member(name: Name, member: Name, admin: Admin, caller: Signed) -> None:
    """For administrators. What a source of sign-ins says of the member, it says again at the next one."""
    demand_registry(caller)
    group = group_name(name)
    if not await admin.ask(admin.people.leave, group, member, caller):
        raise PrincipalUnknown(name=member, reason=f"it was not put into {group} here")


def _last(after: str) -> tuple[str, str]:
    """The member and the source that a page begins after; neither has a slash in its name."""
    name, _, source = after.partition("/")
    return name, source
