"""The verbs `entrepot quota …`: who may have how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import click

from registry.cli_people.answer import Answer, table
from registry.cli_people.operator import FAILED, Operator, operates
from registry.core.quota import Holder, Limit, Resource, Scope
from registry.core.quota_service import ALL, QuotaService, Standing
from registry.core.recounting import Recounter
from registry.core.sizes import in_words
from registry.kinds import SIZE

NONE, UNLIMITED = "none", "unlimited"


class Subject(click.ParamType[Holder]):
    """A project's name, `user:` and a user's, or `*` in place of a name: each that has nothing of its own."""

    name = "subject"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Holder:  # noqa: ANN401  click's own
        """Whether there is such a one, the rules know."""
        scope, colon, name = value.partition(":")
        if not colon:
            return Holder(Scope.PROJECT, value)
        if scope not in set(Scope) or not name:
            self.fail(f"neither a project, nor user:NAME, project:{ALL} or user:{ALL}: {value!r}", param, ctx)
        return Holder(Scope(scope), name)


@dataclass(frozen=True, slots=True)
class Wish:
    """What one bound is to be; None is none."""

    amount: int | None
    is_unlimited: bool = False


class Amount(click.ParamType[Wish]):
    """A number, or a size of bytes."""

    name = "amount"

    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Wish:  # noqa: ANN401  click's own
        """As settings are written."""
        if value in {NONE, UNLIMITED}:
            return Wish(None, value == UNLIMITED)
        if self.resource is not Resource.BYTES and not value.isdigit():
            self.fail(f"not a number: {value!r}", param, ctx)
        try:
            return Wish(SIZE.parse(value))
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)


def _bounds(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each bound of each resource."""
    for resource in reversed(Resource):
        kind, metavar = Amount(resource), "SIZE" if resource is Resource.BYTES else "NUMBER"
        for prefix, told in (("soft-", "beyond this, who pushes is warned"), ("", "never more than this")):
            option = click.option(
                f"--{prefix}{resource}", f"{prefix.rstrip('-') or 'hard'}_{resource}", type=kind, metavar=metavar,
                help=f"{told}; or {NONE}" + ("" if prefix else f", or {UNLIMITED} in spite of what all may have"),
            )  # fmt: skip
            command = option(command)
    return command


@click.group()
def quota() -> None:
    """Quotas: how much projects, and their owners, may have.

    A SUBJECT is a project (team), a user (user:alice), or all that have nothing of their own (project:*, user:*).
    """


@quota.command()
@click.argument("subject", type=Subject(), required=False)
@operates
def show(operator: Operator, subject: Holder | None) -> Answer:
    """Show what SUBJECT may have, and has.

    It is a project (team) or a user (user:alice); without one, what all may have that have nothing of their own.
    """
    service = QuotaService(operator.metadata)
    if subject is None:
        both = [service.get(Holder(scope, ALL)) for scope in Scope]
        return Answer([_document(each) for each in both], [line for each in both for line in _lines(each)])
    return _shown(service.get(subject))


@quota.command("set")
@click.argument("subject", type=Subject())
@_bounds
@operates
def set_quota(operator: Operator, /, subject: Holder, **wishes: Wish | None) -> Answer:
    """Set what SUBJECT may have; what no option names stays.

    It is a project (team), a user (user:alice), or all that have nothing of their own (project:*, user:*).
    """
    service = QuotaService(operator.metadata)
    former = service.get(subject).allowance
    limits = _wished(former.limits, {name: wish for name, wish in wishes.items() if wish is not None})
    return _shown(service.put(subject, limits, operator.caller, version=former.version))


@quota.command()
@click.argument("project", required=False)
@operates
def recompute(operator: Operator, project: str | None) -> Answer:
    """Count anew what PROJECT, or each, is charged for.

    What is wrong is set right. The exit status is 1 when something was.
    """
    only = None if project is None else QuotaService(operator.metadata).project(project).id
    found = list(Recounter(operator.metadata).run(only))
    document = [{"project": each.name, "reason": each.reason} for each in found]
    lines = [f"{each.name}: {each.reason}: set right" for each in found]
    return Answer(document, lines or ["every project is charged for what it holds"], FAILED if found else 0)


def _wished(limits: Mapping[Resource, Limit], wishes: Mapping[str, Wish]) -> Mapping[Resource, Limit]:
    changed = dict(limits)
    for option, wish in wishes.items():
        bound, _, name = option.partition("_")
        resource = Resource(name)
        changed[resource] = replace(changed.get(resource, Limit()), **{bound: wish.amount})
        if changed[resource] == Limit() and not wish.is_unlimited:
            del changed[resource]
    return changed


def _shown(standing: Standing) -> Answer:
    return Answer(_document(standing), _lines(standing))


def _document(standing: Standing) -> dict[str, object]:
    return {
        "scope": standing.holder.scope.value,
        "name": standing.holder.name,
        "resources": {
            resource.value: {
                "used": standing.used.get(resource),
                "hard": standing.limit(resource).hard,
                "soft": standing.limit(resource).soft,
                "is_own": resource in standing.allowance.limits,
            }
            for resource in Resource
        },
    }


def _lines(standing: Standing) -> list[str]:
    who = standing.holder
    title = f"each {who.scope} that has nothing of its own" if who.name == ALL else str(who)
    return [f"{title}:", *(f"  {line}" for line in table(("", "USED", "HARD", "SOFT", ""), _rows(standing)))]


def _rows(standing: Standing) -> list[tuple[str, ...]]:
    return [
        (
            resource.value,
            _amount(resource, standing.used.get(resource)),
            _amount(resource, standing.limit(resource).hard),
            _amount(resource, standing.limit(resource).soft),
            "as all" if resource in standing.default.limits and resource not in standing.allowance.limits else "",
        )
        for resource in Resource
    ]


def _amount(resource: Resource, amount: int | None) -> str:
    if amount is None:
        return "-"
    return in_words(amount) if resource is Resource.BYTES else str(amount)
