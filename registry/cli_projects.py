"""The verbs `entrepot project …`: what there is, who owns it, and what it is charged for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import click

from registry.cli_people.answer import Answer, pairs, section, table
from registry.cli_people.operator import Operator, every, operates
from registry.core.explained_usage import UsageService
from registry.core.nouns.holdings import Sharer
from registry.core.quota import Project
from registry.core.quota_service import QuotaService
from registry.core.sizes import in_words
from registry.core.usage_parts import Because, ExplainedUsage

Sharers = Mapping[str, Sequence[Sharer]]
_PAGE: Final = 1000
_SHARERS: Final = 5
_REASONS: Final = {
    Because.SERVED: "served",
    Because.UNDO: "held by undo",
    Because.LEASE: "held by a lease",
    Because.NOTHING: "to be collected",
}


@click.group()
def project() -> None:
    """Projects: who owns each, and what it is charged for.

    A project is the first component of its repositories' names, library where there is one component only.
    """


@project.command("list")
@operates
def list_projects(operator: Operator) -> Answer:
    """List projects, with what they use and who owns them."""
    service = QuotaService(operator.metadata)
    found = list(every(lambda last: service.projects(last, _PAGE), lambda each: each.name))
    rows = ((each.name, in_words(each.used), each.owner or "") for each in found)
    return Answer([_project_document(each) for each in found], table(("NAME", "USED", "OWNER"), rows))


@project.command("show")
@click.argument("name")
@operates
def show_project(operator: Operator, name: str) -> Answer:
    """Show what a project is charged for.

    By repository, with whom it is shared, and why it is there still.
    """
    service = UsageService(operator.metadata, operator.settings.undo_window)
    explained, sharers = service.explain(name), service.sharers(name, _SHARERS)
    return Answer(_usage_document(explained, sharers), _usage_lines(explained, sharers))


@project.command()
@click.argument("name")
@click.argument("user", required=False)
@click.option("--none", "nobody", is_flag=True, help="nobody owns it")
@operates
def owner(operator: Operator, name: str, user: str | None, *, nobody: bool) -> Answer:
    """Count a project as what USER has, or nobody."""
    if (user is None) is not nobody:
        raise click.UsageError("give a USER, or --none")
    changed = QuotaService(operator.metadata).own(name, user, operator.caller)
    return Answer(_project_document(changed), [f"{name} is owned by {changed.owner or 'nobody'}"])


def _project_document(project: Project) -> dict[str, object]:
    return {"name": project.name, "used": project.used, "owner": project.owner}


def _usage_document(explained: ExplainedUsage, sharers: Sharers) -> dict[str, object]:
    return {
        **_project_document(explained.project),
        "used": explained.used,
        "reserved": explained.reserved,
        "by_reason": {why.name.lower(): size for why, size in explained.by_reason().items()},
        "by_repository": explained.by_repository(),
        "shared": explained.shared,
        "shared_with": {
            name: [{"name": each.name.text, "size": each.size} for each in found] for name, found in sharers.items()
        },
    }


def _usage_lines(explained: ExplainedUsage, sharers: Sharers) -> list[str]:
    reasons = {_REASONS[why]: in_words(size) for why, size in explained.by_reason().items() if size}
    reserved = {"reserved by uploads": in_words(explained.reserved)} if explained.reserved else {}
    alone = {f"{name} alone": in_words(size) for name, size in explained.by_repository().items()}
    shared = {"several repositories": in_words(explained.shared)} if explained.shared else {}
    rows = ((name, each.name.text, in_words(each.size)) for name, found in sharers.items() for each in found)
    return [
        *pairs({"name": explained.project.name, "owner": explained.project.owner or "nobody"}),
        f"used   {in_words(explained.used)}",
        *section("why it is there", pairs(reasons | reserved)),
        *section("who holds it", pairs(alone | shared | reserved)),
        *section("shared", table(("REPOSITORY", "WITH", "SIZE"), rows)),
    ]
