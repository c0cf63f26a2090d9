"""What users, groups and robots have in common: found, put whole, and removed, each under a condition."""

from __future__ import annotations

from registry.admin.services import Administration
from registry.admin.versions import Condition
from registry.core.facts import Caller, Principal, PrincipalKind
from registry.core.people_put import Wanted, put
from registry.core.refusals import PrincipalUnknown


def get(admin: Administration, kind: PrincipalKind, name: str) -> Principal:
    """One of this kind. Raises: PrincipalUnknown."""
    found = admin.people.get(name)
    if found.kind is not kind:
        raise PrincipalUnknown(name=name)
    return found


def put_whole(
    admin: Administration, name: str, wanted: Wanted, by: Caller, condition: Condition, password: str | None = None
) -> tuple[Principal, bool]:
    """One of a fit name, and whether it is new. Raises: as `people_put.put`."""
    version = condition.version(admin.people.find(name))
    return put(admin.people.metadata, name, wanted, by, password=password, version=version)


def remove(admin: Administration, kind: PrincipalKind, name: str, by: Caller, condition: Condition) -> None:
    """Raises: PrincipalUnknown, Changed, LastAdministrator, Unfit."""
    admin.people.remove(name, by, version=condition.version(get(admin, kind, name)))
