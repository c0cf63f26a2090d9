"""Queries: principals, their credentials, and the keys that sign tokens."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import Caller, Credential
from registry.metadata.instants import to_micros
from registry.metadata.moment import Moment
from registry.metadata.recognition import as_credential, password_of
from registry.metadata.schema_people import credential, principal, signing_key

_PRINCIPAL: Final = sa.select(principal.c.id, principal.c.name, principal.c.is_admin, principal.c.kind).where(
    principal.c.name == p("name")
)
_ADD_PRINCIPAL: Final = (
    sa.insert(principal)
    .values({each: p(each) for each in ("uuid", "kind", "name", "is_admin", "created_at")})
    .returning(principal.c.id)
)
_ADD_CREDENTIAL: Final = sa.insert(credential).values(
    {each: p(each) for each in ("uuid", "principal_id", "kind", "secret", "created_at")}
)
_REHASH: Final = (
    sa.update(credential)
    .where(credential.c.id == p("which"), credential.c.secret == p("former"))
    .values(secret=p("secret"))
)
_KEYS: Final = sa.select(signing_key.c.kid, signing_key.c.sealed).order_by(signing_key.c.created_at)
_ADD_KEY: Final = sa.insert(signing_key).values(
    {each: p(each) for each in ("kid", "sealed", "created_at", "expires_at")}
)
_DROP_KEYS: Final = sa.delete(signing_key).where(signing_key.c.expires_at < p("now"))


class Accounts:
    """`ports.Accounts`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def find(self, name: str) -> Caller | None:
        """The principal of this name, disabled or not: to act for it, ask for its credential."""
        row = self._moment.first(_PRINCIPAL, name=name)
        return Caller(row[0], row[1], bool(row[2]), is_anonymous=row[3] == "anonymous") if row else None

    def add(self, name: str, kind: str, *, is_admin: bool = False) -> Caller:
        """A new principal."""
        rows = self._moment.run(
            _ADD_PRINCIPAL,
            uuid=str(uuid.uuid4()),
            kind=kind,
            name=name,
            is_admin=is_admin,
            created_at=self._moment.micros,
        )
        return Caller(rows[0][0], name, is_admin, is_anonymous=kind == "anonymous")

    def password(self, name: str) -> Credential | None:
        """The password that a name may sign in with."""
        row = self._moment.first(password_of, name=name, now=self._moment.micros)
        return as_credential(row) if row else None

    def add_password(self, caller: Caller, secret: str) -> None:
        """A first password, hashed."""
        self._moment.run(
            _ADD_CREDENTIAL,
            uuid=str(uuid.uuid4()),
            principal_id=caller.principal,
            kind="password",
            secret=secret,
            created_at=self._moment.micros,
        )

    def rehash(self, credential: Credential, secret: str) -> None:
        """The same password under a better hash: still the same credential, so nothing that names it ends."""
        self._moment.run(_REHASH, which=credential.id, former=credential.secret, secret=secret)

    def signing_keys(self) -> Sequence[tuple[str, bytes]]:
        """Key ids with their sealed keys, oldest first."""
        return [(row[0], row[1]) for row in self._moment.run(_KEYS)]

    def add_signing_key(self, kid: str, sealed: bytes, created: datetime, expires: datetime) -> None:
        """Publish a key; those that no living token was signed with go."""
        self._moment.run(_DROP_KEYS, now=self._moment.micros)
        self._moment.run(_ADD_KEY, kid=kid, sealed=sealed, created_at=to_micros(created), expires_at=to_micros(expires))
