"""A user, a group or a robot as it is to be: made, or changed, or left alone because it is so already."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from registry.core.facts import Caller, Principal
from registry.core.people import added, changed, give_password
from registry.core.ports import Metadata, Transaction
from registry.core.principal_names import kind_of
from registry.core.refusals import Changed, NameTaken


@dataclass(frozen=True, slots=True)
class Wanted:
    """All of a principal that can be chosen, but for its name."""

    description: str = ""
    is_admin: bool = False
    disabled: bool = False
    expires: datetime | None = None

    def upon(self, former: Principal, now: datetime) -> Principal:
        """The principal, as wanted; one that is disabled already stays so since then."""
        return replace(
            former,
            description=self.description,
            is_admin=self.is_admin,
            disabled=(former.disabled or now) if self.disabled else None,
            expires=self.expires,
        )


def put(
    metadata: Metadata,
    name: str,
    wanted: Wanted,
    by: Caller,
    *,
    password: str | None = None,
    version: int | None = None,
) -> tuple[Principal, bool]:
    """The principal of a fit name (`principal_names`), and whether it is new; all of it or nothing.

    `version` is that of the one to be replaced, 0 for none; `password` comes hashed.
    Raises: Changed, LastAdministrator, Unfit.
    """

    def keep(tx: Transaction) -> tuple[Principal, bool]:
        former = tx.people.find(name)
        if version is not None and version != (former.version if former else 0):
            raise Changed(name=name)
        begun = former or _made(tx, name, wanted, by)
        kept = changed(tx, begun, wanted.upon(begun, tx.now), by)
        if password is not None:
            give_password(tx, kept, password, by)
        return kept, former is None

    try:
        return metadata.transact(keep)
    except NameTaken:
        # Somebody else made it since this one looked, and is found by the next look.
        return metadata.transact(keep)


def _made(tx: Transaction, name: str, wanted: Wanted, by: Caller) -> Principal:
    made = tx.people.add(
        kind_of(name), name, is_admin=wanted.is_admin, description=wanted.description, expires=wanted.expires
    )
    return added(tx, made, name, by)
