"""Queries: which limits hold for a project and its owner, and what they have of it by now (design §4).

Everybody who grows in a project holds its row first, and the row of its owner after it if that one is limited. So what
is counted by a new statement then is all that there is: who adds to it has committed, or waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.quota import Holder, Limit, Resource, Scope
from registry.metadata.moment import Moment
from registry.metadata.schema import project, repository, reservation, tag, upload
from registry.metadata.schema_people import principal
from registry.metadata.schema_rules import quota
from registry.metadata.sums import total

IS_LIMITED: Final = sa.select(sa.exists().where(quota.c.scope.is_not(None))).scalar_subquery()
"""Whether anybody has set any: else, nothing is asked of them."""
IS_COUNTED: Final = sa.select(sa.exists().where(quota.c.resource != Resource.BYTES.value)).scalar_subquery()
"""The same of anything but bytes."""
# Of each, what is set for the holder itself comes last.
_LIMITS: Final = (
    sa.select(quota.c.scope, quota.c.resource, quota.c.hard, quota.c.soft)
    .where(
        sa.or_(
            sa.and_(quota.c.scope == p("of_project"), quota.c.subject_id.in_([0, p("project")])),
            sa.and_(quota.c.scope == p("of_user"), quota.c.subject_id.in_([0, p("owner")])),
        )
    )
    .order_by(quota.c.subject_id)
)
_HOLD_OWNER: Final = sa.select(principal.c.name).where(principal.c.id == p("owner")).with_for_update(key_share=True)

_THESE: Final = {Scope.PROJECT: project.c.id == p("whose"), Scope.USER: project.c.owner_id == p("whose")}
_in_project: Final = project.join(repository, repository.c.project_id == project.c.id)
_COUNTED: Final[Mapping[Resource, tuple[Any, tuple[Any, ...]]]] = {
    Resource.REPOSITORIES: (_in_project, (repository.c.deleted_at.is_(None),)),
    Resource.TAGS: (
        _in_project.join(tag, tag.c.repository_id == repository.c.id),
        (repository.c.deleted_at.is_(None),),
    ),
    Resource.UPLOADS: (
        _in_project.join(upload, upload.c.repository_id == repository.c.id),
        (repository.c.deleted_at.is_(None), upload.c.finished.is_(None), upload.c.expires_at > p("now")),
    ),
}


def _total(column: sa.Column[int], tables: Any, scope: Scope) -> sa.Select[Any]:  # noqa: ANN401  a table or a join
    return sa.select(total(column)).select_from(tables).where(_THESE[scope])


def _count(resource: Resource, scope: Scope) -> sa.Select[Any]:
    tables, which = _COUNTED[resource]
    return sa.select(sa.func.count()).select_from(tables).where(_THESE[scope], *which)


_RESERVED: Final = {
    scope: _total(reservation.c.size, project.join(reservation, reservation.c.project_id == project.c.id), scope)
    for scope in Scope
}
_USED: Final = {(scope, Resource.BYTES): _total(project.c.used, project, scope) for scope in Scope} | {
    (scope, resource): _count(resource, scope) for scope in Scope for resource in _COUNTED
}


@dataclass(frozen=True, slots=True)
class Account:
    """A project whose row is held, who owns it, and what it uses by then."""

    id: int
    name: str
    owner: int | None
    used: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a holder may have, `id` being its row's."""

    holder: Holder
    id: int
    limits: Mapping[Resource, Limit]


class Limits:
    """Of whoever is concerned when a project grows."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def of(self, account: Account) -> list[Bounds]:
        """The project's, then its owner's, who is held then too."""
        found: dict[Scope, dict[Resource, Limit]] = {}
        for scope, resource, hard, soft in self._moment.run(
            _LIMITS,
            of_project=Scope.PROJECT.value,
            project=account.id,
            of_user=Scope.USER.value,
            owner=account.owner or 0,
        ):
            found.setdefault(Scope(scope), {})[Resource(resource)] = Limit(hard, soft)
        bounds = []
        if limits := found.get(Scope.PROJECT):
            bounds.append(Bounds(Holder(Scope.PROJECT, account.name), account.id, limits))
        if account.owner is not None and (limits := found.get(Scope.USER)):
            name = self._moment.run(_HOLD_OWNER, owner=account.owner)[0][0]
            bounds.append(Bounds(Holder(Scope.USER, name), account.owner, limits))
        return bounds

    def used(self, bounds: Bounds, resource: Resource) -> int:
        """What the holder has of it, this transaction's included."""
        return self.total(bounds.holder.scope, bounds.id, resource)

    def total(self, scope: Scope, holder: int, resource: Resource) -> int:
        """The same of anybody."""
        by_now = {"now": self._moment.micros} if resource is Resource.UPLOADS else {}
        return int(self._moment.run(_USED[scope, resource], whose=holder, **by_now)[0][0])

    def reserved(self, bounds: Bounds) -> int:
        """Of its bytes, those that uploads have reserved."""
        return int(self._moment.run(_RESERVED[bounds.holder.scope], whose=bounds.id)[0][0])
