"""`/me`: who the caller is to this registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed
from registry.admin.services import Administration
from registry.admin.tokens import Limit, limits_shown
from registry.core.access import is_admin
from registry.core.accounts import OPEN
from registry.core.facts import Caller, PrincipalKind
from registry.oci.errors import Unauthorized

router = APIRouter(prefix="/me", tags=["users"])


class Me(BaseModel):
    """The caller."""

    name: str
    kind: Literal["user", "robot", "open"] = Field(description="`open` where authentication is off")
    is_admin: bool = Field(description="by itself, or by a group")
    groups: list[str]
    limits: list[Limit] | None = Field(description="of the credential that was shown; null where it has none")


@router.get("", summary="Who is asking")
async def get_me(admin: Admin, caller: Signed) -> Me:
    """For anybody with a name."""
    return await admin.ask(_shown, admin, caller)


def _shown(admin: Administration, caller: Caller) -> Me:
    kind, groups = _standing(admin, caller)
    return Me.model_validate(
        {
            "name": caller.name,
            "kind": kind.value,
            "is_admin": is_admin(caller),
            "groups": groups,
            "limits": None if caller.limits is None else limits_shown(caller.limits.grants),
        }
    )


def _standing(admin: Administration, caller: Caller) -> tuple[PrincipalKind, Sequence[str]]:
    """What it is, and its groups. Raises: Unauthorized."""
    if caller.name == OPEN:
        return PrincipalKind.OPEN, []
    principal = admin.people.find(caller.name)
    if principal is None:
        # Removed since it was recognised.
        raise Unauthorized
    return principal.kind, admin.people.groups_of(caller.name)
