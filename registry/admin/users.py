"""`/users`: those who sign in by name; and their passwords."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from registry.admin import principals
from registry.admin.asking import Admin, Signed, refusals
from registry.admin.paging import Page, Paged, Words
from registry.admin.texts import Description, Name, Password, Strict
from registry.admin.versions import Conditional, answered
from registry.core.administration import demand_registry, demand_sight
from registry.core.facts import Principal, PrincipalKind
from registry.core.people_put import Wanted
from registry.core.principal_names import user_name
from registry.oci.errors import Denied

router = APIRouter(prefix="/users", tags=["users"])


class User(BaseModel):
    """Somebody who signs in by name."""

    name: str
    description: str
    is_admin: bool = Field(description="may do everything; whoever is so by a group is not told of here")
    disabled: bool
    source: str = Field(description="`local`, or the source of sign-ins that vouches for it")
    created: datetime

    @classmethod
    def of(cls, user: Principal) -> Self:
        """As it is shown."""
        return cls(
            name=user.name,
            description=user.description,
            is_admin=user.is_admin,
            disabled=user.disabled is not None,
            source=user.source,
            created=user.created,
        )


class UserWanted(Strict):
    """A user as it is to be; what is left out is put to its default."""

    description: Description = ""
    is_admin: bool = False
    disabled: bool = False
    password: Password | None = Field(None, description="left out, it stays as it is", repr=False)


class PasswordWanted(Strict):
    """A password; whoever changes its own shows the present one."""

    password: Password = Field(repr=False)
    current: Password | None = Field(None, repr=False)


@router.get("", summary="Users, by name")
async def list_users(admin: Admin, caller: Signed, paging: Paged, q: Words = "") -> Page[User]:
    """For administrators."""
    demand_registry(caller)
    found = await admin.ask(admin.people.page, PrincipalKind.USER, paging.after, paging.more, q)
    return paging.page(found, User.of, lambda user: user.name)


@router.get("/{name}", summary="One user", responses=refusals(404))
async def get_user(name: Name, admin: Admin, caller: Signed, response: Response) -> User:
    """Oneself, and anybody for administrators."""
    demand_sight(caller, name)
    user = await admin.ask(principals.get, admin, PrincipalKind.USER, name)
    answered(response, user)
    return User.of(user)


@router.put(
    "/{name}",
    summary="Make a user, or put one as it is to be",
    responses={201: {"model": User, "description": "Made"}, **refusals(409, 412)},
)
async def put_user(
    name: Name, wanted: UserWanted, admin: Admin, caller: Signed, condition: Conditional, response: Response
) -> User:
    """For administrators. One with a new password is signed out wherever it had signed in."""
    demand_registry(caller)
    as_wanted = Wanted(wanted.description, wanted.is_admin, wanted.disabled)
    password = await admin.callers.hashed(wanted.password) if wanted.password is not None else None
    user, is_new = await admin.ask(principals.put_whole, admin, user_name(name), as_wanted, caller, condition, password)
    answered(response, user, is_new=is_new)
    return User.of(user)


@router.delete("/{name}", summary="Remove a user for good", status_code=204, responses=refusals(404, 409, 412))
async def delete_user(name: Name, admin: Admin, caller: Signed, condition: Conditional) -> None:
    """For administrators. What it pushed stays, and what happened; its name is free."""
    demand_sight(caller, name)
    demand_registry(caller)
    await admin.ask(principals.remove, admin, PrincipalKind.USER, name, caller, condition)


@router.put("/{name}/password", summary="Change a password", status_code=204, responses=refusals(404))
async def put_password(name: Name, wanted: PasswordWanted, admin: Admin, caller: Signed) -> None:
    """One's own, showing the present one, and anybody's for administrators. Whoever has it anew is signed out."""
    demand_sight(caller, name)
    await admin.ask(principals.get, admin, PrincipalKind.USER, name)
    if caller.name == name and not await admin.callers.proves(caller, wanted.current or ""):
        raise Denied(needed="the current password")
    await admin.ask(admin.people.set_password, name, await admin.callers.hashed(wanted.password), caller)
