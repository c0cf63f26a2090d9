"""The verbs `entrepot retention …`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import click

from registry.cli_people.answer import Answer, section, table
from registry.cli_people.operator import FAILED, Operator, operates
from registry.cli_people.typed import Span
from registry.cli_rules import disabled_option, exceptions_option, listed, put, removed, tags_option, typed_rule
from registry.core.counts import counted
from registry.core.keeps import MOST, NOTHING, Keeps
from registry.core.printable import harmless
from registry.core.retaining import RetentionPlan, RetentionPlanner
from registry.core.retention import Decision, Ending
from registry.core.ruling import fit_rule, fit_tags
from registry.core.tag_rules import RuleKind
from registry.oci.names import RepositoryName

Command = TypeVar("Command", bound=Callable[..., Any])
_NUMBER = click.IntRange(1, MOST)
_KEPT = (
    click.option("--last", type=_NUMBER, metavar="N", help="keep the last N that were pushed"),
    click.option("--pushed-within", type=Span(), metavar="DURATION", help="keep those pushed within it, such as 30d"),
    click.option("--pulled-within", type=Span(), metavar="DURATION", help="keep those pulled within it"),
    click.option("--like", default="", metavar="TAGS", help="keep those that one of these patterns matches"),
    click.option("--minors", type=_NUMBER, metavar="N", help="keep the newest patch of the last N minor versions"),
    click.option("--untagged-after", type=Span(), metavar="DURATION", help="end manifests without a tag for so long"),
    click.option("--keep-manifests", is_flag=True, help="keep manifests that lose their last tag by this rule"),
)


@click.group()
def retention() -> None:
    """Rules of retention: which tags are kept, and for how long.

    A rule looks at some tags and keeps some of them. A tag stays if any rule that looks at it keeps it, or if none
    looks at it. What goes can be restored while undo_window lasts: see `entrepot tag restore`.
    """


def keeping(command: Command) -> Command:
    """Options of what a rule keeps."""
    for each in reversed(_KEPT):
        command = each(command)
    return command


@retention.command()
@click.argument("pattern")
@tags_option
@exceptions_option
@keeping
@disabled_option
@operates
def add(
    operator: Operator,
    /,
    pattern: str,
    tags: str,
    exceptions: str,
    *,
    disabled: bool,
    **kept: Any,  # noqa: ANN401  the options above
) -> Answer:
    """Have tags kept in the repositories of PATTERN.

    Others that the rule looks at end. It replaces what was said of the same repositories and tags before. Try it first:
    `entrepot retention preview`.
    With --minors, it looks at tags that are versions (1.4.2, v1.4.2-rc.1) and at no others.
    """
    wanted = typed_rule(RuleKind.RETENTION, pattern, tags, exceptions, keeps=_keeps(**kept), disabled=disabled)
    return put(operator, wanted)


@retention.command("list")
@operates
def list_rules(operator: Operator) -> Answer:
    """List the rules."""
    return listed(operator, RuleKind.RETENTION)


@retention.command()
@click.argument("uuid")
@operates
def remove(operator: Operator, uuid: str) -> Answer:
    """Take a rule back."""
    return removed(operator, RuleKind.RETENTION, uuid)


@retention.command()
@click.argument("repository")
@tags_option
@exceptions_option
@keeping
@operates
def preview(operator: Operator, /, repository: str, tags: str, exceptions: str, **kept: Any) -> Answer:  # noqa: ANN401  the same
    """Tell what becomes of each tag of REPOSITORY, and why.

    By the rules in force; or, where options say what to keep, by one such rule instead of them. Nothing is changed.
    """
    keeps = _keeps(**kept)
    wanted = typed_rule(RuleKind.RETENTION, repository, tags, exceptions, keeps=keeps)
    rules = None if keeps == NOTHING else [fit_rule(wanted)]
    plan = RetentionPlanner(operator.metadata).plan(RepositoryName.parse(repository), rules)
    document = {
        "tags": [_decided(each) for each in plan.decisions],
        "manifests": [_ended(each) for each in plan.endings],
    }
    return Answer(document, _lines(plan))


@retention.command()
@operates
def run(operator: Operator) -> Answer:
    """Do now what the rules say, as a server does by itself.

    Nothing while the collector is paused.
    """
    from registry import app

    retained = app.retainer(operator.settings, operator.metadata).run_now()
    if retained is None:
        return Answer({"tags": None, "manifests": None}, ["another process is at it"], FAILED)
    paused = operator.collector.status().paused
    document = {"tags": retained.tags, "manifests": retained.manifests, "paused": paused}
    ended = f"{counted(retained.tags, 'tag')} and {counted(retained.manifests, 'manifest')} ended"
    return Answer(document, [ended, *([f"the collector is paused: {harmless(paused)}"] if paused else [])])


def _keeps(
    *,
    last: int | None,
    pushed_within: timedelta | None,
    pulled_within: timedelta | None,
    like: str,
    minors: int | None,
    untagged_after: timedelta | None,
    keep_manifests: bool,
) -> Keeps:
    """Raises: Unfit."""
    return Keeps(
        last, pushed_within, pulled_within, fit_tags(like), minors, untagged_after, keeps_manifests=keep_manifests
    )


def _lines(plan: RetentionPlan) -> list[str]:
    rows = (("stays" if each.stays else "goes", each.standing.tag.text, each.reason) for each in plan.decisions)
    told = table(("", "TAG", "WHY"), rows)
    if plan.endings:
        told += section("manifests that go", [f"{each.manifest.digest}: {each.reason}" for each in plan.endings])
    return told


def _decided(each: Decision) -> dict[str, object]:
    return {
        "tag": each.standing.tag.text,
        "digest": str(each.standing.digest),
        "stays": each.stays,
        "reason": each.reason,
        "rule": each.rule.uuid or None if each.rule else None,
    }


def _ended(each: Ending) -> dict[str, object]:
    return {"digest": str(each.manifest.digest), "reason": each.reason, "rule": each.rule.uuid or None}
