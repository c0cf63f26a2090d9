"""The verbs `entrepot robot …`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import click

from registry.cli_people.answer import Answer, table
from registry.cli_people.handing import new_secret
from registry.cli_people.operator import Operator, operates
from registry.cli_people.showing import shown
from registry.cli_people.typed import expires_option, parse_grants
from registry.cli_people.views import principal_document, state_of, told_end, when
from registry.core.facts import Principal, PrincipalKind
from registry.core.principal_names import project_of
from registry.core.refusals import Unfit

ROBOT: Final = PrincipalKind.ROBOT
_TWO: Final = 2


@click.group()
def robot() -> None:
    """Robots: programs, which sign in by a secret.

    A robot belongs to a project, and signs in as PROJECT+NAME.
    """


@robot.command()
@click.argument("words", metavar="PROJECT+NAME | PROJECT NAME", nargs=-1, required=True)
@expires_option
@click.option(
    "--grant",
    "granted",
    multiple=True,
    metavar="'ACTIONS PATTERN'",
    help="what it may do, such as 'pull,push team/**'; can be given several times",
)
@click.option("--description", default="", metavar="TEXT", help="what it is for")
@operates
def add(
    operator: Operator, words: tuple[str, ...], *, expires: timedelta | None, granted: tuple[str, ...], description: str
) -> Answer:
    """Add a robot to PROJECT, and print its secret."""
    project, name = _project_and_name(words)
    # Before there is a robot: what cannot be granted is to leave none behind.
    grants = parse_grants(granted)
    added = operator.people.add_robot(project, name, operator.caller, lifetime=expires, description=description)
    for each in grants:
        operator.grants.put(added.name, each.pattern.text, each.actions, operator.caller)
    return _with_secret(operator, added, "was added")


@robot.command()
@click.argument("name")
@click.option("--keep-former", is_flag=True, help="let the secrets that it has be good beside the new one")
@operates
def rotate(operator: Operator, name: str, *, keep_former: bool) -> Answer:
    """Give NAME another secret, and print it."""
    return _with_secret(operator, operator.get(name, ROBOT), "has another secret", keep_former=keep_former)


@robot.command("list")
@click.option("--project", metavar="PROJECT", help="of this project only")
@operates
def list_robots(operator: Operator, *, project: str | None) -> Answer:
    """List robots, and mark those that expire soon.

    Soon is within 14 days.
    """
    robots = [
        each
        for each in operator.all(ROBOT, "" if project is None else f"{project}+")
        if project in {None, project_of(each.name)}
    ]
    now = operator.now
    rows = ((each.name, state_of(each, now), told_end(each, now), each.description) for each in robots)
    heads = ("NAME", "STATE", "EXPIRES", "DESCRIPTION")
    return Answer([principal_document(each, now) for each in robots], table(heads, rows))


@robot.command()
@click.argument("name")
@operates
def show(operator: Operator, name: str) -> Answer:
    """Show NAME and all that concerns it.

    Its groups; what is granted to it, to them and to everybody; and the secrets that it has, by their beginnings.
    """
    return shown(operator, operator.get(name, ROBOT))


@robot.command()
@click.argument("name")
@operates
def disable(operator: Operator, name: str) -> Answer:
    """Let NAME do nothing, until it is enabled again."""
    operator.get(name, ROBOT)
    return _told(operator, operator.people.disable(name, operator.caller), "is disabled")


@robot.command()
@click.argument("name")
@operates
def enable(operator: Operator, name: str) -> Answer:
    """Let NAME do again what it may."""
    operator.get(name, ROBOT)
    return _told(operator, operator.people.enable(name, operator.caller), "is enabled")


@robot.command()
@click.argument("name")
@expires_option
@operates
def extend(operator: Operator, name: str, *, expires: timedelta | None) -> Answer:
    """Have NAME expire later, or never, or sooner."""

    def put_off(robot: Principal, now: datetime) -> Principal:
        return replace(robot, expires=None if expires is None else now + expires)

    operator.get(name, ROBOT)
    changed = operator.people.change(name, operator.caller, put_off)
    return _told(operator, changed, f"expires {when(changed.expires, 'never')}")


@robot.command()
@click.argument("name")
@operates
def remove(operator: Operator, name: str) -> Answer:
    """Remove NAME for good.

    Its secrets and grants end with it. What it pushed stays.
    """
    operator.get(name, ROBOT)
    operator.people.remove(name, operator.caller)
    return Answer({"name": name, "removed": True}, [f"robot {name} was removed"])


def _project_and_name(words: tuple[str, ...]) -> tuple[str, str]:
    """Raises: Unfit."""
    parts = words[0].split("+", 1) if len(words) == 1 else words
    if len(parts) != _TWO:
        raise Unfit(name=" ".join(words), reason="a robot is named PROJECT+NAME, or PROJECT NAME")
    return parts[0], parts[1]


def _with_secret(operator: Operator, robot: Principal, what: str, *, keep_former: bool = False) -> Answer:
    handed = new_secret()
    operator.people.rotate(robot.name, handed.made, operator.caller, keep_former=keep_former)
    lines = [
        f"robot {robot.name} {what}, and expires {when(robot.expires, 'never')}",
        *handed.lines(operator, robot.name),
    ]
    return Answer(principal_document(robot, operator.now) | handed.document(operator, robot.name), lines)


def _told(operator: Operator, changed: Principal, what: str) -> Answer:
    return Answer(principal_document(changed, operator.now), [f"robot {changed.name} {what}"])
