"""Queries: what was granted to whom."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import Caller, GivenGrant, Principal
from registry.core.patterns import Pattern, Span
from registry.core.rights import Rights
from registry.metadata.instants import from_micros
from registry.metadata.moment import Moment
from registry.metadata.recognition import GRANTS, admin_groups_of, as_grant, as_rights, bump, concerned, grants_to
from registry.metadata.schema_people import grant, principal
from registry.metadata.statements import Row

_giver: Final = principal.alias("giver")
_SHOWN: Final = sa.select(
    principal.c.name,
    principal.c.kind,
    grant.c.pattern,
    grant.c.actions,
    grant.c.denies,
    grant.c.uuid,
    grant.c.id,
    grant.c.created_at,
    _giver.c.name,
    grant.c.version,
).select_from(
    grant.join(principal, principal.c.id == grant.c.principal_id).join(_giver, _giver.c.id == grant.c.created_by)
)
# Held for whoever changes it: what the next one finds is what this one has made of it.
_FIND: Final = _SHOWN.where(grant.c.uuid == p("uuid")).with_for_update(of=grant)
_ON: Final = _SHOWN.where(
    grant.c.principal_id == p("principal"), grant.c.pattern == p("pattern"), grant.c.denies == p("denies")
).with_for_update(of=grant)
_PAGE: Final = _SHOWN.where(grant.c.uuid > p("last")).order_by(grant.c.uuid).limit(p("limit"))
_PAGE_OF: Final = _PAGE.where(grant.c.principal_id == p("principal"))
_NEAR: Final = _PAGE.where(
    sa.or_(
        grant.c.principal_id.in_(sa.select(concerned.c.id)),
        sa.and_(grant.c.pattern >= p("first"), grant.c.pattern < p("end")),
    )
)
_NEAR_OF: Final = _NEAR.where(grant.c.principal_id == p("subject"))
_NO_SPAN: Final = Span("", "")
_PUT: Final = (
    insert(grant)
    .values(
        {
            each: p(each)
            for each in ("principal_id", "pattern", "actions", "denies", "created_at", "uuid", "created_by")
        }
    )
    .on_conflict_do_update(
        index_elements=["principal_id", "pattern", "denies"],
        set_={
            "actions": p("actions"), "created_at": p("created_at"), "created_by": p("created_by"),
            "version": grant.c.version + 1,
        },
    )
    .returning(grant.c.uuid)
)  # fmt: skip
_REMOVE: Final = sa.delete(grant).where(grant.c.uuid == p("uuid")).returning(grant.c.id)


class Grants:
    """`nouns.Grants`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def concerning(self, principal: int) -> Rights:
        """All grants to the principal, its groups and everybody."""
        granted = self._moment.run(grants_to, principal=principal)
        return as_rights(granted, self._moment.run(admin_groups_of, principal=principal, yes=True))

    def put(self, principal: Principal, pattern: Pattern, actions: Sequence[str], by: Caller, *, denies: bool) -> str:
        """In place of what was granted (or denied) on this very pattern; the grant's UUID."""
        rows = self._moment.run(
            _PUT,
            principal_id=principal.id,
            pattern=pattern.text,
            actions=",".join(actions),
            denies=denies,
            created_at=self._moment.micros,
            uuid=str(uuid.uuid4()),
            created_by=by.principal,
        )
        self._touch()
        return str(rows[0][0])

    def find(self, uuid: str) -> GivenGrant | None:
        """The one of this UUID."""
        row = self._moment.first(_FIND, uuid=uuid)
        return _as_given(row) if row else None

    def on(self, principal: Principal, pattern: Pattern, *, denies: bool) -> GivenGrant | None:
        """What is granted (or denied) to this very principal on this very pattern."""
        row = self._moment.first(_ON, principal=principal.id, pattern=pattern.text, denies=denies)
        return _as_given(row) if row else None

    def remove(self, uuid: str) -> bool:
        """Whether there was one."""
        removed = bool(self._moment.run(_REMOVE, uuid=uuid))
        if removed:
            self._touch()
        return removed

    def page(self, last: str, limit: int, subject: Principal | None = None) -> Sequence[GivenGrant]:
        """After the one of UUID `last`; of one subject, if given."""
        if subject is None:
            rows = self._moment.run(_PAGE, last=last, limit=limit)
        else:
            rows = self._moment.run(_PAGE_OF, last=last, limit=limit, principal=subject.id)
        return [_as_given(row) for row in rows]

    def near(
        self, principal: int, spans: Sequence[Span], last: str, limit: int, subject: Principal | None = None
    ) -> Sequence[GivenGrant]:
        """Span by span, each in the order of UUIDs, of which the first ones of all are wanted."""
        statement, of = (_NEAR, {}) if subject is None else (_NEAR_OF, {"subject": subject.id})
        found: dict[str, GivenGrant] = {}
        for span in spans or (_NO_SPAN,):
            within = {"first": span.first, "end": span.end, **of}
            rows = self._moment.run(statement, principal=principal, last=last, limit=limit, **within)
            found |= {given.grant.uuid: given for given in map(_as_given, rows)}
        return [found[uuid] for uuid in sorted(found)[:limit]]

    def _touch(self) -> None:
        self._moment.run(bump, name=GRANTS)


def _as_given(row: Row) -> GivenGrant:
    *of_grant, created, by, version = row
    return GivenGrant(as_grant(tuple(of_grant)), from_micros(created), by, version)
