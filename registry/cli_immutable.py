"""The verbs `entrepot immutable …`."""

from __future__ import annotations

import click

from registry.cli_people.answer import Answer
from registry.cli_people.operator import FAILED, Operator, operates
from registry.cli_rules import disabled_option, exceptions_option, listed, put, removed, tags_option, typed_rule
from registry.core.ruling import RuleService
from registry.core.tag_rules import RuleKind
from registry.oci.names import RepositoryName, Tag


@click.group()
def immutable() -> None:
    """Immutable tags: set once, then neither moved nor deleted.

    The same image may be pushed again, and signatures always.
    """


@immutable.command()
@click.argument("pattern")
@tags_option
@exceptions_option
@disabled_option
@operates
def add(operator: Operator, pattern: str, tags: str, exceptions: str, *, disabled: bool) -> Answer:
    """Make tags immutable in the repositories of PATTERN.

    It replaces what was said of the same repositories and tags before. In a pattern of tags, * is any run of
    characters: 'v*', or 'v* release-*'.
    """
    return put(operator, typed_rule(RuleKind.IMMUTABLE, pattern, tags, exceptions, disabled=disabled))


@immutable.command("list")
@operates
def list_rules(operator: Operator) -> Answer:
    """List the rules."""
    return listed(operator, RuleKind.IMMUTABLE)


@immutable.command()
@click.argument("uuid")
@operates
def remove(operator: Operator, uuid: str) -> Answer:
    """Take a rule back."""
    return removed(operator, RuleKind.IMMUTABLE, uuid)


@immutable.command()
@click.argument("repository")
@click.argument("tag")
@operates
def explain(operator: Operator, repository: str, tag: str) -> Answer:
    """Say whether TAG of REPOSITORY can change, and which rule decides.

    The exit status is 0 when it can, and 1 when it is immutable. The tag need not be there.
    """
    service = RuleService(operator.metadata, RuleKind.IMMUTABLE)
    rule = service.deciding(RepositoryName.parse(repository), Tag.parse(tag))
    document = {"immutable": rule is not None, "rule": rule.uuid if rule else None}
    told = f"{repository}:{tag} can change" if rule is None else f"{repository}:{tag} is immutable: {rule}"
    return Answer(document, [told], FAILED if rule else 0)
