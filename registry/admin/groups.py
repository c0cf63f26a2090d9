"""`/groups`: several users and robots under one name, written with its `@` or without."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from fastapi import APIRouter, Response
from pydantic import BaseModel

from registry.admin import principals
from registry.admin.asking import Admin, Signed, refusals
from registry.admin.paging import Page, Paged, Words
from registry.admin.texts import Description, Name, Strict
from registry.admin.versions import Conditional, answered
from registry.core.administration import demand_registry
from registry.core.facts import Principal, PrincipalKind
from registry.core.people_put import Wanted
from registry.core.principal_names import group_name

router = APIRouter(prefix="/groups", tags=["groups"])


class Group(BaseModel):
    """Several users and robots under one name."""

    name: str
    description: str
    is_admin: bool
    disabled: bool
    source: str
    created: datetime

    @classmethod
    def of(cls, group: Principal) -> Self:
        """As it is shown."""
        return cls(
            name=group.name,
            description=group.description,
            is_admin=group.is_admin,
            disabled=group.disabled is not None,
            source=group.source,
            created=group.created,
        )


class GroupWanted(Strict):
    """A group as it is to be; what is left out is put to its default."""

    description: Description = ""
    is_admin: bool = False
    disabled: bool = False


@router.get("", summary="Groups, by name")
async def list_groups(admin: Admin, caller: Signed, paging: Paged, q: Words = "") -> Page[Group]:
    """For administrators."""
    demand_registry(caller)
    found = await admin.ask(admin.people.page, PrincipalKind.GROUP, paging.after, paging.more, q)
    return paging.page(found, Group.of, lambda group: group.name)


@router.get("/{name}", summary="One group", responses=refusals(404))
async def get_group(name: Name, admin: Admin, caller: Signed, response: Response) -> Group:
    """For administrators."""
    demand_registry(caller)
    group = await admin.ask(principals.get, admin, PrincipalKind.GROUP, group_name(name))
    answered(response, group)
    return Group.of(group)


@router.put(
    "/{name}",
    summary="Make a group, or put one as it is to be",
    responses={201: {"model": Group, "description": "Made"}, **refusals(409, 412)},
)
async def put_group(
    name: Name, wanted: GroupWanted, admin: Admin, caller: Signed, condition: Conditional, response: Response
) -> Group:
    """For administrators. With `is_admin`, its members may do everything."""
    demand_registry(caller)
    as_wanted = Wanted(wanted.description, wanted.is_admin, wanted.disabled)
    group, is_new = await admin.ask(principals.put_whole, admin, group_name(name), as_wanted, caller, condition)
    answered(response, group, is_new=is_new)
    return Group.of(group)


@router.delete("/{name}", summary="Remove a group for good", status_code=204, responses=refusals(404, 412))
async def delete_group(name: Name, admin: Admin, caller: Signed, condition: Conditional) -> None:
    """For administrators. Its members stay, without what they could do by it."""
    demand_registry(caller)
    await admin.ask(principals.remove, admin, PrincipalKind.GROUP, group_name(name), caller, condition)
