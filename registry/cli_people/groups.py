"""The verbs `entrepot group …`. A group's name may be typed with its `@` or without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from registry.cli_people.answer import Answer, section, table
from registry.cli_people.operator import Operator, operates
from registry.cli_people.views import (
    grant_document,
    principal_document,
    principal_lines,
    rights_section,
    state_of,
)
from registry.core.facts import LOCAL, PrincipalKind
from registry.core.principal_names import group_name
from registry.core.refusals import PrincipalUnknown

GROUP: Final = PrincipalKind.GROUP
_MEMBERS: Final = (PrincipalKind.USER, PrincipalKind.ROBOT)


@click.group()
def group() -> None:
    """Groups: users and robots with the same rights.

    What is granted to a group, its members may do. Its name begins with @, which may be left out here.
    """


@group.command()
@click.argument("name")
@click.option("--admin", "is_admin", is_flag=True, help="its members may do everything")
@click.option("--description", default="", metavar="TEXT", help="who they are")
@operates
def add(operator: Operator, name: str, *, is_admin: bool, description: str) -> Answer:
    """Add the group NAME, without members."""
    added = operator.people.add_group(name, operator.caller, is_admin=is_admin, description=description)
    return Answer(principal_document(added, operator.now), [f"group {added.name} was added"])


@group.command("list")
@operates
def list_groups(operator: Operator) -> Answer:
    """List all groups."""
    groups, now = operator.all(GROUP), operator.now
    rows = ((each.name, state_of(each, now), "yes" if each.is_admin else "no", each.description) for each in groups)
    table_ = table(("NAME", "STATE", "ADMIN", "DESCRIPTION"), rows)
    return Answer([principal_document(each, now) for each in groups], table_)


@group.command()
@click.argument("name")
@operates
def show(operator: Operator, name: str) -> Answer:
    """Show NAME, its members, and what concerns it."""
    shown = operator.get(group_name(name), GROUP)
    members, rights = operator.people.members(shown.name), operator.grants.concerning(shown.name)
    document = principal_document(shown, operator.now) | {
        "members": [{"name": member, "source": source} for member, source in members],
        "grants": [grant_document(each) for each in rights.grants],
    }
    lines = [
        *principal_lines(shown, operator.now),
        *section("members", _told_members(members)),
        *rights_section(rights),
    ]
    return Answer(document, lines)


@group.command()
@click.argument("name")
@operates
def remove(operator: Operator, name: str) -> Answer:
    """Remove NAME for good.

    What was granted to it ends. Its members stay.
    """
    gone = operator.get(group_name(name), GROUP).name
    operator.people.remove(gone, operator.caller)
    return Answer({"name": gone, "removed": True}, [f"group {gone} was removed"])


@group.command()
@click.argument("name", metavar="GROUP")
@click.argument("members", metavar="NAME...", nargs=-1, required=True)
@operates
def join(operator: Operator, name: str, members: tuple[str, ...]) -> Answer:
    """Put each NAME, a user or a robot, into GROUP."""
    whole = _all_there(operator, name, members)
    joined = [each for each in members if operator.people.join(whole, each, operator.caller)]
    lines = [f"{each} is in {whole}{'' if each in joined else ' already'}" for each in members]
    return Answer({"name": whole, "joined": joined}, lines)


@group.command()
@click.argument("name", metavar="GROUP")
@click.argument("members", metavar="NAME...", nargs=-1, required=True)
@operates
def leave(operator: Operator, name: str, members: tuple[str, ...]) -> Answer:
    """Take each NAME out of GROUP.

    Whom a source of sign-ins has put there, that source alone takes out.
    """
    whole = _all_there(operator, name, members)
    decided_here = {member for member, source in operator.people.members(whole) if source == LOCAL}
    if missing := [each for each in members if each not in decided_here]:
        raise PrincipalUnknown(name=", ".join(missing), reason=f"not in {whole} by what was decided here")
    left = [each for each in members if operator.people.leave(whole, each, operator.caller)]
    return Answer({"name": whole, "left": left}, [f"{each} is in {whole} no more" for each in left])


def _all_there(operator: Operator, name: str, members: Sequence[str]) -> str:
    """The group's name, once it is sure that nothing of this will be half-done. Raises: PrincipalUnknown."""
    whole = operator.get(group_name(name), GROUP).name
    for each in members:
        operator.get(each, *_MEMBERS)
    return whole


def _told_members(members: Sequence[tuple[str, str]]) -> list[str]:
    told = [member if source == LOCAL else f"{member}, says {source}" for member, source in members]
    return told or ["none"]
