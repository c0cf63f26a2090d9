"""Projects and quotas as people see and set them. Who may do so is decided before (`core/administration`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from registry.core.facts import Action, Caller, PrincipalKind
from registry.core.ports import Metadata, Transaction
from registry.core.quota import MOST, Allowance, Holder, Limit, Project, Resource, Scope
from registry.core.refusals import Changed, PrincipalUnknown, ProjectUnknown, Unfit

ALL: Final = "*"
"""The name for each project, or each user, that has nothing of its own."""
_EACH: Final = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What a holder has, and may have: by its own `allowance`, and where that says nothing, by `default`."""

    holder: Holder
    allowance: Allowance
    default: Allowance
    used: Mapping[Resource, int]

    def limit(self, resource: Resource) -> Limit:
        """What holds for it."""
        nothing = Limit()
        return self.allowance.limits.get(resource) or self.default.limits.get(resource, nothing)


@dataclass(frozen=True, slots=True)
class QuotaService:
    """The rules."""

    metadata: Metadata

    def project(self, name: str) -> Project:
        """Raises: ProjectUnknown."""
        return self.metadata.observe(lambda tx: _project(tx, name))

    def projects(self, last: str, limit: int, words: str = "") -> Sequence[Project]:
        """By their names, after `last`; those with `words` in them."""
        return self.metadata.observe(lambda tx: tx.projects.page(last, limit, words))

    def own(self, name: str, owner: str | None, by: Caller) -> Project:
        """Count it as what this user has, or nobody. Raises: ProjectUnknown, PrincipalUnknown."""

        def change(tx: Transaction) -> Project:
            tx.projects.own(_project(tx, name), None if owner is None else _user(tx, owner))
            tx.journal.note(Action.OWN_PROJECT, by, target=f"project {name}", detail=owner or "nobody")
            return _project(tx, name)

        return self.metadata.transact(change)

    def get(self, holder: Holder) -> Standing:
        """Raises: ProjectUnknown, PrincipalUnknown."""
        return self.metadata.observe(lambda tx: _standing(tx, holder))

    def put(
        self, holder: Holder, limits: Mapping[Resource, Limit], by: Caller, *, version: int | None = None
    ) -> Standing:
        """Set these in place of what was set; `version` is that of what is to be replaced, 0 for nothing.

        Raises: ProjectUnknown, PrincipalUnknown, Unfit, Changed.
        """
        for resource, limit in limits.items():
            _fit(resource, limit)

        def change(tx: Transaction) -> Standing:
            row = _row(tx, holder)
            former = tx.allowances.find(holder.scope, row)
            if version is not None and version != former.version:
                raise Changed(quota=str(holder))
            if dict(limits) != dict(former.limits):
                tx.allowances.put(holder.scope, row, limits, by)
                tx.journal.note(Action.PUT_QUOTA, by, target=str(holder), detail=_in_words(limits))
            return _standing(tx, holder)

        return self.metadata.transact(change)


def _standing(tx: Transaction, holder: Holder) -> Standing:
    row = _row(tx, holder)
    default = tx.allowances.find(holder.scope, _EACH)
    if row == _EACH:
        return Standing(holder, default, Allowance({}), {})
    return Standing(holder, tx.allowances.find(holder.scope, row), default, tx.allowances.used(holder.scope, row))


def _row(tx: Transaction, holder: Holder) -> int:
    """Raises: ProjectUnknown, PrincipalUnknown."""
    if holder.name == ALL:
        return _EACH
    return _project(tx, holder.name).id if holder.scope is Scope.PROJECT else _user(tx, holder.name)


def _project(tx: Transaction, name: str) -> Project:
    project = tx.projects.find(name)
    if project is None:
        raise ProjectUnknown(name=name[:300])
    return project


def _user(tx: Transaction, name: str) -> int:
    user = tx.people.find(name)
    if user is None or user.kind is not PrincipalKind.USER:
        raise PrincipalUnknown(name=name[:300])
    return user.id


def _fit(resource: Resource, limit: Limit) -> None:
    """Raises: Unfit."""
    if any(each is not None and not 0 <= each <= MOST for each in (limit.hard, limit.soft)):
        raise Unfit(resource=resource.value, reason=f"a limit is not between 0 and {MOST}")
    if limit.hard is not None and limit.soft is not None and limit.soft > limit.hard:
        raise Unfit(resource=resource.value, reason="its soft limit is above its hard one, and would never be told of")


def _in_words(limits: Mapping[Resource, Limit]) -> str:
    told = [
        f"{resource} {name} {amount}"
        for resource, limit in sorted(limits.items())
        for name, amount in (("hard", limit.hard), ("soft", limit.soft))
        if amount is not None
    ]
    return ", ".join(told) or "no limits"
