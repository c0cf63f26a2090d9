"""What the verbs of rules over tags share: how a rule is typed, shown and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from registry.cli_people.answer import Answer, table
from registry.cli_people.operator import Operator, every
from registry.cli_people.views import when
from registry.core.granting import fit_pattern
from registry.core.keeps import NOTHING, Keeps
from registry.core.ruling import RuleService, fit_tags
from registry.core.tag_rules import GivenRule, RuleKind, TagRule

_PAGE: Final = 1000

tags_option = click.option(
    "--tags", default="*", show_default=True, help="the tags it is about: patterns with spaces between"
)
exceptions_option = click.option("--except", "exceptions", default="", help="tags that are excepted, by patterns too")
disabled_option = click.option("--disabled", is_flag=True, help="keep the rule for later, out of force")


def typed_rule(
    kind: RuleKind, pattern: str, tags: str, exceptions: str, *, keeps: Keeps = NOTHING, disabled: bool = False
) -> TagRule:
    """Raises: Unfit."""
    about = fit_pattern(pattern), fit_tags(tags), fit_tags(exceptions)
    return TagRule(kind, *about, keeps, is_enabled=not disabled)


def put(operator: Operator, wanted: TagRule) -> Answer:
    """Raises: Unfit."""
    given = RuleService(operator.metadata, wanted.kind).put(wanted, operator.caller)
    return Answer(document(given), [str(given.rule)])


def listed(operator: Operator, kind: RuleKind) -> Answer:
    """All of a kind, by what they are about."""
    service = RuleService(operator.metadata, kind)
    found = every(lambda last: service.page(last, _PAGE), lambda each: each.uuid)
    rules = sorted(found, key=lambda each: (each.rule.repositories, each.rule.tags))
    heads = ("RULE", "STATE", "BY", "SINCE", "UUID")
    return Answer([document(each) for each in rules], table(heads, map(_row, rules)))


def removed(operator: Operator, kind: RuleKind, uuid: str) -> Answer:
    """Raises: TagRuleUnknown."""
    gone = RuleService(operator.metadata, kind).remove(uuid, operator.caller)
    return Answer(document(gone) | {"removed": True}, [f"taken back: {gone.rule}"])


def document(given: GivenRule) -> dict[str, object]:
    """Times are in seconds."""
    rule, keeps = given.rule, given.rule.keeps
    said: dict[str, object] = {
        "uuid": rule.uuid,
        "repositories": rule.repositories.text,
        "tags": rule.tags.text,
        "exceptions": rule.exceptions.text,
        "enabled": rule.is_enabled,
        "created": given.created.isoformat(),
        "by": given.by,
    }
    return said if rule.kind is RuleKind.IMMUTABLE else said | {"keeps": keeps.said}


def _row(given: GivenRule) -> Sequence[str]:
    rule = given.rule
    return str(rule), "in force" if rule.is_enabled else "disabled", given.by, when(given.created), rule.uuid
