"""Queries: users, groups and robots, and who is in which group."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.access import ANYONE
from registry.core.accounts import ANONYMOUS
from registry.core.facts import LOCAL, Principal, PrincipalKind
from registry.core.nouns.people import ALL, FIRST
from registry.metadata.instants import from_micros, to_micros
from registry.metadata.moment import Moment
from registry.metadata.recognition import GRANTS, bump
from registry.metadata.schema import project
from registry.metadata.schema_people import credential, grant, membership, principal
from registry.metadata.schema_rules import quota
from registry.metadata.statements import Row

_SHOWN: Final = (
    principal.c.id, principal.c.uuid, principal.c.kind, principal.c.name, principal.c.is_admin, principal.c.source,
    principal.c.external_id, principal.c.description, principal.c.created_at, principal.c.disabled_at,
    principal.c.expires_at, principal.c.version,
)  # fmt: skip
# Whoever changes something of a principal has it for itself from then on: two who do are one after the other, and the
# second finds what the first has made of it.
_FIND: Final = sa.select(*_SHOWN).where(principal.c.name == p("name")).with_for_update(key_share=True)
_ANYONE: Final = sa.select(*_SHOWN).where(principal.c.name == ANONYMOUS).with_for_update(key_share=True)
_EXTERNAL: Final = (
    sa.select(*_SHOWN)
    .where(
        principal.c.source == p("source"),
        principal.c.external_id == p("external_id"),
        principal.c.external_id.is_not(None),
    )
    .with_for_update(key_share=True)
)
_HOLD: Final = sa.select(principal.c.id).where(principal.c.id == p("which")).with_for_update(key_share=True)
_NAME_OF: Final = sa.select(principal.c.name).where(principal.c.id == p("principal"))
_ADD: Final = (
    insert(principal)
    .values(
        {
            each: p(each)
            for each in (
                "uuid", "kind", "name", "is_admin", "source", "external_id", "description", "created_at", "expires_at",
            )
        }
    )
    .on_conflict_do_nothing()
    .returning(*_SHOWN)
)  # fmt: skip
_FORMER: Final = (
    sa.select(principal.c.is_admin, principal.c.disabled_at, principal.c.expires_at)
    .where(principal.c.id == p("which"), principal.c.version == p("former"))
    .with_for_update(key_share=True)
)
_CHANGE: Final = (
    sa.update(principal)
    .where(principal.c.id == p("which"), principal.c.version == p("former"))
    .values(
        {each: p(each) for each in ("is_admin", "description", "disabled_at", "expires_at")}
        | {
            "version": principal.c.version + 1,
            # Of another end it was not told yet.
            "warned_at": sa.case(
                (principal.c.expires_at.is_not_distinct_from(p("expires_at")), principal.c.warned_at), else_=sa.null()
            ),
        }
    )
    .returning(*_SHOWN)
)
_PAGE: Final = (
    sa.select(*_SHOWN)
    .where(
        principal.c.kind == p("kind"),
        principal.c.name > p("last"),
        # A removed one keeps its row for the events that name it.
        principal.c.name.not_like("%(%"),
        # LIKE knows wildcards, which nobody means here; neither of two functions that don't is known to both databases.
        sa.or_(
            p("words", type_=sa.Text) == "",
            sa.func.replace(principal.c.name, p("words"), "") != principal.c.name,
            sa.func.replace(principal.c.description, p("words"), "") != principal.c.description,
        ),
    )
    .order_by(principal.c.name)
    .limit(p("limit"))
)
_MEMBERS: Final = (
    sa.select(principal.c.name, membership.c.source)
    .select_from(membership.join(principal, principal.c.id == membership.c.member_id))
    .where(
        membership.c.group_id == p("group"),
        sa.or_(
            principal.c.name > p("last"),
            sa.and_(principal.c.name == p("last"), membership.c.source > p("last_source")),
        ),
    )
    .order_by(principal.c.name, membership.c.source)
    .limit(p("limit"))
)
_GROUPS: Final = (
    sa.select(principal.c.name)
    .select_from(membership.join(principal, principal.c.id == membership.c.group_id))
    .where(membership.c.member_id == p("member"))
    .distinct()
    .order_by(principal.c.name)
)
_MEMBERSHIPS: Final = (
    sa.select(principal.c.name, membership.c.source)
    .select_from(membership.join(principal, principal.c.id == membership.c.group_id))
    .where(membership.c.member_id == p("member"))
    .order_by(principal.c.name, membership.c.source)
)
_JOIN: Final = (
    insert(membership)
    .values({each: p(each) for each in ("group_id", "member_id", "source")})
    .on_conflict_do_nothing()
    .returning(membership.c.group_id)
)
_LEAVE: Final = (
    sa.delete(membership)
    .where(
        membership.c.group_id == p("group"), membership.c.member_id == p("member"), membership.c.source == p("source")
    )
    .returning(membership.c.group_id)
)
_LEAVE_ALL: Final = (
    sa.delete(membership)
    .where(membership.c.member_id == p("member"), membership.c.source == p("source"))
    .returning(membership.c.group_id)
)
_ENDS: Final = (
    sa.delete(membership).where(sa.or_(membership.c.member_id == p("which"), membership.c.group_id == p("which"))),
    sa.delete(grant).where(grant.c.principal_id == p("which")),
    # What it owned has no owner then, and what it might have had is nobody's.
    sa.update(project).where(project.c.owner_id == p("which")).values(owner_id=sa.null()),
    sa.delete(quota).where(quota.c.scope == sa.literal_column("'user'"), quota.c.subject_id == p("which")),
    sa.update(credential)
    .where(credential.c.principal_id == p("which"), credential.c.revoked_at.is_(None))
    .values(revoked_at=p("now")),
    sa.update(principal)
    .where(principal.c.id == p("which"))
    .values(
        name=p("name"), disabled_at=p("now"), external_id=None, is_admin=sa.false(), version=principal.c.version + 1
    ),
)
# By itself, as groups come and go by what others say, for good, and with something to sign in with. Held, so that of
# two administrators who demote each other at once only one succeeds.
_ADMINISTRATORS: Final = (
    sa.select(principal.c.id)
    .where(
        principal.c.kind == "user",
        principal.c.id != p("but"),
        principal.c.disabled_at.is_(None),
        principal.c.expires_at.is_(None),
        principal.c.is_admin == p("yes"),
        sa.or_(
            principal.c.source != LOCAL,
            sa.exists().where(
                credential.c.principal_id == principal.c.id,
                credential.c.kind == "password",
                credential.c.revoked_at.is_(None),
            ),
        ),
    )
    .order_by(principal.c.id)
    .limit(1)
    .with_for_update(key_share=True)
)
_EXPIRING: Final = (
    sa.select(*_SHOWN)
    .where(
        principal.c.kind == "robot",
        principal.c.expires_at <= p("before"),
        principal.c.warned_at.is_(None),
        principal.c.disabled_at.is_(None),
    )
    .order_by(principal.c.expires_at, principal.c.id)
    .limit(1000)
    .with_for_update(key_share=True)
)
_WARNED: Final = sa.update(principal).where(principal.c.id == p("which")).values(warned_at=p("now"))


class People:
    """`nouns.People`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def find(self, name: str) -> Principal | None:
        """By the name that grants use."""
        if "(" in name:
            # Of those who were removed, and of who stands for callers without a name.
            return None
        row = self._moment.first(_ANYONE) if name == ANYONE else self._moment.first(_FIND, name=name)
        return _as_principal(row) if row else None

    def find_external(self, source: str, external_id: str) -> Principal | None:
        """By the name that a source of sign-ins has for it."""
        row = self._moment.first(_EXTERNAL, source=source, external_id=external_id)
        return _as_principal(row) if row else None

    def name_of(self, principal: int) -> str:
        """Its name, as it is by now."""
        row = self._moment.first(_NAME_OF, principal=principal)
        return row[0] if row else ""

    def add(
        self,
        kind: PrincipalKind,
        name: str,
        *,
        is_admin: bool = False,
        source: str = LOCAL,
        external_id: str | None = None,
        description: str = "",
        expires: datetime | None = None,
    ) -> Principal | None:
        """A new one; None when the name is taken."""
        row = self._moment.first(
            _ADD,
            uuid=str(uuid.uuid4()),
            kind=kind.value,
            name=name,
            is_admin=is_admin,
            source=source,
            external_id=external_id,
            description=description,
            created_at=self._moment.micros,
            expires_at=_micros(expires),
        )
        return _as_principal(row) if row else None

    def change(self, changed: Principal) -> Principal | None:
        """Its next version; None when it is not as it was."""
        former = self._moment.first(_FORMER, which=changed.id, former=changed.version)
        if former is None:
            return None
        deciding = changed.is_admin, _micros(changed.disabled), _micros(changed.expires)
        if deciding != (bool(former[0]), *former[1:]):
            self._touch()
        row = self._moment.first(
            _CHANGE,
            which=changed.id,
            former=changed.version,
            is_admin=changed.is_admin,
            description=changed.description,
            disabled_at=_micros(changed.disabled),
            expires_at=_micros(changed.expires),
        )
        return _as_principal(row) if row else None

    def remove(self, principal: Principal) -> None:
        """Nobody can be it any more, and its name is free."""
        # No name that anybody can have holds a parenthesis.
        name, now = f"{principal.name}({principal.uuid})", self._moment.micros
        for statement in _ENDS:
            self._moment.run(statement, which=principal.id, name=name, now=now)
        self._touch()

    def page(self, kind: PrincipalKind, last: str, limit: int, words: str = "") -> Sequence[Principal]:
        """By their names, after `last`."""
        rows = self._moment.run(_PAGE, kind=kind.value, last=last, limit=limit, words=words)
        return [_as_principal(row) for row in rows]

    def members(self, group: int, last: tuple[str, str] = FIRST, limit: int = ALL) -> Sequence[tuple[str, str]]:
        """Names, and the source that says so, after `last`."""
        name, source = last
        rows = self._moment.run(_MEMBERS, group=group, last=name, last_source=source, limit=limit)
        return [(row[0], row[1]) for row in rows]

    def groups_of(self, member: int) -> Sequence[str]:
        """The names of its groups."""
        return [row[0] for row in self._moment.run(_GROUPS, member=member)]

    def memberships(self, member: int) -> Sequence[tuple[str, str]]:
        """The names of its groups, each with the source that says so."""
        return [(row[0], row[1]) for row in self._moment.run(_MEMBERSHIPS, member=member)]

    def join(self, group: int, member: int, source: str = LOCAL) -> bool:
        """Whether that is new."""
        joined = bool(self._moment.run(_JOIN, group_id=group, member_id=member, source=source))
        if joined:
            self._touch()
        return joined

    def leave(self, group: int, member: int, source: str = LOCAL) -> bool:
        """Whether it was in it, as far as this source says."""
        left = bool(self._moment.run(_LEAVE, group=group, member=member, source=source))
        if left:
            self._touch()
        return left

    def replace_groups(self, member: int, source: str, groups: Sequence[int]) -> None:
        """These groups and no others, as far as this source says."""
        self._moment.run(_HOLD, which=member)
        former = {int(row[0]) for row in self._moment.run(_LEAVE_ALL, member=member, source=source)}
        for group in sorted(set(groups)):
            self._moment.run(_JOIN, group_id=group, member_id=member, source=source)
        if former != set(groups):
            self._touch()

    def other_administrators(self, principal: int) -> bool:
        """Whether somebody else may do everything, and can sign in."""
        return bool(self._moment.run(_ADMINISTRATORS, but=principal, yes=True))

    def expiring(self, before: datetime) -> Sequence[Principal]:
        """Robots that expire by then, and were not told of."""
        return [_as_principal(row) for row in self._moment.run(_EXPIRING, before=to_micros(before))]

    def warned(self, principal: int) -> None:
        """It was told of."""
        self._moment.run(_WARNED, which=principal, now=self._moment.micros)

    def _touch(self) -> None:
        self._moment.run(bump, name=GRANTS)


def _as_principal(row: Row) -> Principal:
    id_, uuid_, kind, name, is_admin, source, external_id, description, created, disabled, expires, version = row
    return Principal(
        id_,
        uuid_,
        PrincipalKind(kind),
        ANYONE if kind == PrincipalKind.ANONYMOUS else name,
        bool(is_admin),
        source,
        external_id,
        description,
        from_micros(created),
        _instant(disabled),
        _instant(expires),
        version,
    )


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None else to_micros(instant)
