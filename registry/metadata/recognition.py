"""Queries by which a caller is recognised: its credential as it is by now, and what has been granted to it.

They are asked on every request that names a credential, which is how a revoked one is gone with the next. What is
granted is kept in memory for as long as the generation stands that comes along with the credential (design 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.access import ANYONE
from registry.core.accounts import ANONYMOUS
from registry.core.facts import Caller, Credential, CredentialKind
from registry.core.patterns import Pattern
from registry.core.rights import Grant, Rights, parse_limits
from registry.metadata.instants import from_micros
from registry.metadata.schema import generation
from registry.metadata.schema_people import credential, grant, membership, principal
from registry.metadata.statements import Row

GRANTS: Final = "grants"
_ALIVE: Final = (
    principal.c.disabled_at.is_(None),
    sa.or_(principal.c.expires_at.is_(None), principal.c.expires_at > p("now")),
    credential.c.revoked_at.is_(None),
    sa.or_(credential.c.expires_at.is_(None), credential.c.expires_at > p("now")),
)
_OF_GRANTS: Final = sa.select(generation.c.value).where(generation.c.name == GRANTS)
_CREDENTIALS: Final = sa.select(
    credential.c.id,
    credential.c.version,
    credential.c.secret,
    credential.c.kind,
    credential.c.expires_at,
    principal.c.expires_at,
    credential.c.limits,
    principal.c.id,
    principal.c.name,
    principal.c.is_admin,
    sa.func.coalesce(_OF_GRANTS.scalar_subquery(), 0),
).select_from(credential.join(principal, principal.c.id == credential.c.principal_id))
# Nobody has both: who signs in elsewhere has no password here.
password_of: Final = _CREDENTIALS.where(
    principal.c.name == p("name"),
    sa.or_(credential.c.kind == "password", credential.c.kind == sa.literal_column("'external'")),
    *_ALIVE,
)
credential_by_id: Final = _CREDENTIALS.where(credential.c.id == p("credential"), *_ALIVE)
# In the words of the partial index, or it is not used.
credential_hashed: Final = _CREDENTIALS.where(
    credential.c.secret == p("secret"), credential.c.kind != sa.literal_column("'password'"), *_ALIVE
)
grants_generation: Final = _OF_GRANTS

# Itself, its groups, and everybody: by name, which has an index where its kind has none.
concerned: Final = sa.union_all(
    sa.select(principal.c.id).where(principal.c.id == p("principal")),
    sa.select(membership.c.group_id).where(membership.c.member_id == p("principal")),
    sa.select(principal.c.id).where(principal.c.name == ANONYMOUS),
).subquery("concerned")
grants_to: Final = (
    sa.select(
        principal.c.name, principal.c.kind, grant.c.pattern, grant.c.actions, grant.c.denies, grant.c.uuid, grant.c.id
    )
    .select_from(grant.join(principal, principal.c.id == grant.c.principal_id))
    .where(grant.c.principal_id.in_(sa.select(concerned.c.id)), principal.c.disabled_at.is_(None))
    .distinct()
    .order_by(grant.c.id)
)
admin_groups_of: Final = (
    sa.select(principal.c.id)
    .select_from(membership.join(principal, principal.c.id == membership.c.group_id))
    .where(
        membership.c.member_id == p("principal"), principal.c.is_admin == p("yes"), principal.c.disabled_at.is_(None)
    )
    .limit(1)
)
bump: Final = (
    insert(generation)
    .values(name=p("name"), value=1)
    .on_conflict_do_update(index_elements=["name"], set_={"value": generation.c.value + 1})
)


def as_credential(row: Row) -> Credential:
    """A row of any of the three statements that ask for credentials."""
    credential_id, version, secret, kind, expires, until, limits, principal_id, name, is_admin, generation_ = row
    ends = [from_micros(each) for each in (expires, until) if each is not None]
    caller = Caller(principal_id, name, bool(is_admin), credential=credential_id, limits=parse_limits(limits))
    return Credential(
        credential_id, version, secret, caller, CredentialKind(kind), min(ends) if ends else None, generation_
    )


def as_grant(row: Row) -> Grant:
    """A row of `grants_to`."""
    name, kind, pattern, actions, denies, uuid, _ = row
    subject = ANYONE if kind == "anonymous" else name
    return Grant(subject, Pattern.parse(pattern), tuple(actions.split(",")), bool(denies), uuid)


def as_rights(grants: Sequence[Row], admin_groups: Sequence[Row]) -> Rights:
    """Rows of `grants_to` and `admin_groups_of`."""
    return Rights(tuple(map(as_grant, grants)), is_admin=bool(admin_groups))
