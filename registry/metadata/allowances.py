"""Queries: limits as they are set, and what their holders have (design §4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import Caller
from registry.core.quota import Allowance, Limit, Resource, Scope
from registry.metadata.limits import Limits
from registry.metadata.moment import Moment
from registry.metadata.schema_rules import quota

_these: Final = (quota.c.scope == p("of_scope"), quota.c.subject_id == p("whose"))
_FIND: Final = sa.select(quota.c.resource, quota.c.hard, quota.c.soft, quota.c.changed_at).where(*_these)
_HELD: Final = _FIND.order_by(quota.c.resource).with_for_update()
_CLEAR: Final = sa.delete(quota).where(*_these)
_ADD: Final = sa.insert(quota).values(
    {each: p(each) for each in ("scope", "subject_id", "resource", "hard", "soft", "changed_at", "changed_by")}
)


class Allowances:
    """`nouns.Allowances`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._limits = Limits(moment)

    def find(self, scope: Scope, holder: int) -> Allowance:
        """All of a holder's are set at one instant, which is their version."""
        rows = self._moment.run(_HELD, of_scope=scope.value, whose=holder)
        limits = {Resource(resource): Limit(hard, soft) for resource, hard, soft, _ in rows}
        return Allowance(limits, max((row[3] for row in rows), default=0))

    def put(self, scope: Scope, holder: int, limits: Mapping[Resource, Limit], by: Caller) -> None:
        """In place of what was set."""
        # Later than what it replaces, whatever clocks say.
        version = max(self._moment.micros, self.find(scope, holder).version + 1)
        self._moment.run(_CLEAR, of_scope=scope.value, whose=holder)
        for resource, limit in sorted(limits.items()):
            self._moment.run(
                _ADD,
                scope=scope.value,
                subject_id=holder,
                resource=resource.value,
                hard=limit.hard,
                soft=limit.soft,
                changed_at=version,
                changed_by=by.principal,
            )

    def used(self, scope: Scope, holder: int) -> Mapping[Resource, int]:
        """All that there is, however much."""
        return {each: self._limits.total(scope, holder, each) for each in Resource}
