"""`/users/{name}/tokens`: what was given out to a user in place of its password."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from registry.admin import principals
from registry.admin.asking import Admin, Signed, refusals
from registry.admin.services import Administration
from registry.admin.texts import Instant, Label, Name, PatternText, Strict, Words
from registry.auth.giving import give_new
from registry.core.administration import demand_sight
from registry.core.facts import Caller, CredentialKind, Principal, PrincipalKind, Secret
from registry.core.granting import fit_actions, fit_pattern
from registry.core.rights import Grant, parse_limits
from registry.oci.errors import Denied

router = APIRouter(prefix="/users/{name}/tokens", tags=["tokens"])


class Limit(Strict):
    """What a token may be used for at the most: some actions on the repositories of a pattern."""

    pattern: PatternText
    actions: Words


class Token(BaseModel):
    """A personal token, a client's refresh token, or the session of a browser; never the secret itself."""

    uuid: UUID
    kind: Literal["token", "refresh", "session"]
    label: str
    hint: str = Field(description="how the secret begins")
    limits: list[Limit] = Field(description="empty for all that the user may do")
    address: str = Field(description="from where it was asked for")
    created: datetime
    expires: datetime | None
    used: datetime | None = Field(description="the last time, to within some minutes")

    @classmethod
    def of(cls, secret: Secret) -> Self:
        """As it is shown."""
        return cls.model_validate(_members(secret))


class MadeToken(Token):
    """A personal token, told of once."""

    secret: str


class TokenWanted(Strict):
    """A personal token as it is to be."""

    label: Label = ""
    limits: list[Limit] = Field(default_factory=list, max_length=50)
    expires: Instant | None = None


class Tokens(BaseModel):
    """All of a user's: it can have no more than some hundreds."""

    items: list[Token]


@router.get("", summary="What was given out to a user, newest first", responses=refusals(404))
async def list_tokens(name: Name, admin: Admin, caller: Signed) -> Tokens:
    """To oneself, and to anybody for administrators: personal tokens, refresh tokens and sessions."""
    demand_sight(caller, name)
    secrets = await admin.ask(_given_out, admin, name)
    return Tokens(items=[Token.of(each) for each in secrets])


@router.post("", summary="Make a personal token", status_code=201, responses=refusals(404, 409))
async def make_token(name: Name, wanted: TokenWanted, admin: Admin, caller: Signed) -> MadeToken:
    """For oneself, and for anybody by administrators. Its secret is in this answer, and nowhere else."""
    demand_sight(caller, name)
    user = await admin.ask(_owner, admin, name, caller)
    text, secret = await admin.ask(
        give_new,
        admin.credentials,
        user.id,
        caller,
        kind=CredentialKind.TOKEN,
        label=wanted.label,
        limits=[Grant("", fit_pattern(each.pattern), fit_actions(each.actions)) for each in wanted.limits],
        expires=wanted.expires,
    )
    return MadeToken.model_validate({**_members(secret), "secret": text})


@router.delete("/{uuid}", summary="Take one back", status_code=204, responses=refusals(404))
async def revoke_token(name: Name, uuid: UUID, admin: Admin, caller: Signed) -> None:
    """One's own, and anybody's for administrators. It is good for nothing from the next request on."""
    demand_sight(caller, name)
    user = await admin.ask(principals.get, admin, PrincipalKind.USER, name)
    await admin.ask(admin.credentials.revoke, user.id, str(uuid), caller)


def _owner(admin: Administration, name: str, caller: Caller) -> Principal:
    """Who is to have a token. Raises: PrincipalUnknown, Denied."""
    user = principals.get(admin, PrincipalKind.USER, name)
    if user.id == caller.principal and any(each.id == caller.credential for each in _tokens(admin, user)):
        # Whoever found one would outlive its end, and its being taken back.
        raise Denied(needed="the password: no token is made by a token")
    return user


def _tokens(admin: Administration, user: Principal) -> list[Secret]:
    return [each for each in admin.credentials.list(user.id) if each.kind is CredentialKind.TOKEN]


def _given_out(admin: Administration, name: str) -> list[Secret]:
    owner = principals.get(admin, PrincipalKind.USER, name)
    return [each for each in admin.credentials.list(owner.id) if each.kind is not CredentialKind.PASSWORD]


def _members(secret: Secret) -> dict[str, object]:
    limits = parse_limits(secret.limits)
    return {
        "uuid": secret.uuid,
        "kind": secret.kind.value,
        "label": secret.label,
        "hint": secret.hint,
        "limits": limits_shown(limits.grants if limits else ()),
        "address": secret.made_from,
        "created": secret.created,
        "expires": secret.expires,
        "used": secret.used,
    }


def limits_shown(limits: tuple[Grant, ...]) -> list[Limit]:
    """As they are shown."""
    return [Limit(pattern=each.pattern.text, actions=list(each.actions)) for each in limits]
