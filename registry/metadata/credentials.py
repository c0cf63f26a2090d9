"""Queries: credentials, as those see them who give them out and take them back."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import CredentialKind, Secret
from registry.metadata.instants import from_micros, to_micros
from registry.metadata.moment import Moment
from registry.metadata.schema_people import credential, principal
from registry.metadata.statements import Row

_GOOD: Final = (
    credential.c.revoked_at.is_(None),
    sa.or_(credential.c.expires_at.is_(None), credential.c.expires_at > p("now")),
)
_SHOWN: Final = (
    credential.c.id, credential.c.uuid, credential.c.kind, credential.c.label, credential.c.hint, credential.c.limits,
    credential.c.made_from, credential.c.created_at, credential.c.expires_at, credential.c.used_at,
)  # fmt: skip
_OF: Final = sa.select(*_SHOWN).where(credential.c.principal_id == p("owner"), *_GOOD).order_by(credential.c.id.desc())
_FIND: Final = sa.select(*_SHOWN).where(credential.c.principal_id == p("owner"), credential.c.uuid == p("uuid"), *_GOOD)
_COUNT: Final = sa.select(sa.func.count()).where(
    credential.c.principal_id == p("owner"), credential.c.kind == p("kind"), *_GOOD
)
_ADD: Final = (
    sa.insert(credential)
    .values(
        {
            each: p(each)
            for each in (
                "uuid", "principal_id", "kind", "secret", "label", "hint", "limits", "created_at", "expires_at",
                "parent_id", "made_from",
            )
        }
    )
    .returning(*_SHOWN)
)  # fmt: skip
# What is given out for one and what takes that one back are one after the other: neither is missed by the other.
_HOLD: Final = sa.select(*_SHOWN).where(credential.c.id == p("which"), *_GOOD).with_for_update(read=True)
_SEIZE: Final = sa.select(credential.c.id).where(credential.c.id == p("which")).with_for_update()
_SEIZE_OWNER: Final = sa.select(principal.c.id).where(principal.c.id == p("owner")).with_for_update(key_share=True)
# Children of children are given out by nobody.
_REVOKE: Final = (
    sa.update(credential)
    .where(
        sa.or_(credential.c.id == p("which"), credential.c.parent_id == p("which")), credential.c.revoked_at.is_(None)
    )
    .values(revoked_at=p("now"))
)
_OF_KIND: Final = sa.select(credential.c.id).where(
    credential.c.principal_id == p("owner"), credential.c.kind == p("kind"), *_GOOD
)
_STALEST: Final = _OF_KIND.order_by(
    sa.func.coalesce(credential.c.used_at, credential.c.created_at), credential.c.id
).limit(1)
_PASSWORD: Final = sa.select(credential.c.id).where(
    credential.c.principal_id == p("owner"), credential.c.kind == "password", credential.c.revoked_at.is_(None)
)
_EXTERNAL: Final = sa.select(credential.c.id).where(
    credential.c.principal_id == p("owner"), credential.c.kind == "external", credential.c.revoked_at.is_(None)
)
_EXTEND: Final = sa.update(credential).where(credential.c.id == p("which")).values(expires_at=p("expires"))
_USED: Final = (
    sa.update(credential)
    .where(
        credential.c.id == p("which"),
        sa.or_(credential.c.used_at.is_(None), credential.c.used_at < p("at")),
    )
    .values(used_at=p("at"))
)


class Credentials:
    """`nouns.Credentials`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def add(  # noqa: PLR0913  what is known of a credential
        self,
        owner: int,
        kind: CredentialKind,
        secret: str,
        *,
        label: str,
        hint: str,
        limits: str,
        expires: datetime | None,
        parent: int | None,
        made_from: str,
    ) -> Secret:
        """One more; `secret` is a hash."""
        rows = self._moment.run(
            _ADD,
            uuid=str(uuid.uuid4()),
            principal_id=owner,
            kind=kind.value,
            secret=secret,
            label=label,
            hint=hint,
            limits=limits,
            created_at=self._moment.micros,
            expires_at=None if expires is None else to_micros(expires),
            parent_id=parent,
            made_from=made_from,
        )
        return _as_secret(rows[0])

    def find(self, owner: int, uuid: str) -> Secret | None:
        """One of the principal's that is good by now."""
        row = self._moment.first(_FIND, owner=owner, uuid=uuid, now=self._moment.micros)
        return _as_secret(row) if row else None

    def hold(self, credential: int) -> Secret | None:
        """The one of this id, if it is good by now; so it stays until this transaction has ended."""
        row = self._moment.first(_HOLD, which=credential, now=self._moment.micros)
        return _as_secret(row) if row else None

    def of(self, owner: int) -> Sequence[Secret]:
        """All that are good by now, newest first."""
        return [_as_secret(row) for row in self._moment.run(_OF, owner=owner, now=self._moment.micros)]

    def count(self, owner: int, kind: CredentialKind) -> int:
        """How many of a kind are good by now."""
        return int(self._moment.run(_COUNT, owner=owner, kind=kind.value, now=self._moment.micros)[0][0])

    def revoke(self, credential: int) -> None:
        """Take it back, and whatever was given out for it."""
        self._moment.run(_SEIZE, which=credential)
        self._moment.run(_REVOKE, which=credential, now=self._moment.micros)

    def revoke_all(self, owner: int, kinds: Sequence[CredentialKind]) -> int:
        """Take back all of these kinds; how many there were."""
        now = self._moment.micros
        found = [
            int(row[0]) for kind in kinds for row in self._moment.run(_OF_KIND, owner=owner, kind=kind.value, now=now)
        ]
        for each in found:
            self.revoke(each)
        return len(found)

    def revoke_stalest(self, owner: int, kind: CredentialKind) -> None:
        """Take back the one that was used longest ago."""
        row = self._moment.first(_STALEST, owner=owner, kind=kind.value, now=self._moment.micros)
        if row is not None:
            self.revoke(row[0])

    def set_password(self, owner: int, secret: str) -> Secret:
        """The one password from now on; the former ends, and what was given out for it."""
        self._moment.run(_SEIZE_OWNER, owner=owner)
        for row in self._moment.run(_PASSWORD, owner=owner):
            self.revoke(row[0])
        # Another credential, not another secret of the same one: what names the former is good for nothing any more.
        return self.add(
            owner, CredentialKind.PASSWORD, secret, label="", hint="", limits="", expires=None, parent=None,
            made_from="",
        )  # fmt: skip

    def external(self, owner: int) -> int | None:
        """The one that stands for a directory's password."""
        row = self._moment.first(_EXTERNAL, owner=owner)
        return row[0] if row else None

    def extend(self, credential: int, expires: datetime) -> None:
        """It is good until then."""
        self._moment.run(_EXTEND, which=credential, expires=to_micros(expires))

    def note_use(self, used: Sequence[tuple[int, datetime]]) -> None:
        """When each was used last."""
        self._moment.run_many(_USED, [{"which": which, "at": to_micros(at)} for which, at in used])


def _as_secret(row: Row) -> Secret:
    id_, uuid_, kind, label, hint, limits, made_from, created, expires, used = row
    return Secret(
        id_, uuid_, CredentialKind(kind), label, hint, limits, made_from, from_micros(created), _instant(expires),
        _instant(used),
    )  # fmt: skip


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
