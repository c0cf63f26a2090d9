"""The verbs `entrepot user …`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import click

from registry.cli_people.answer import Answer, table
from registry.cli_people.operator import Operator, operates
from registry.cli_people.passwords import Way, choose, password_options
from registry.cli_people.showing import shown
from registry.cli_people.user_import import import_users
from registry.cli_people.views import principal_document, state_of
from registry.core.facts import Principal, PrincipalKind

USER: Final = PrincipalKind.USER


@click.group()
def user() -> None:
    """Users: people, and whoever signs in like one."""


user.add_command(import_users)


@user.command()
@click.argument("name")
@click.option("--admin", "is_admin", is_flag=True, help="may do everything")
@click.option("--description", default="", metavar="TEXT", help="who that is")
@password_options
@operates
def add(operator: Operator, name: str, *, is_admin: bool, description: str, way: Way | None) -> Answer:
    """Add the user NAME. Without an option that says otherwise, a password is asked for."""
    chosen = choose(way)
    added = operator.people.add_user(
        name, operator.caller, password=chosen.hashed, is_admin=is_admin, description=description
    )
    document = principal_document(added, operator.now) | {"password": chosen.generated}
    return Answer(document, [f"user {name} was added", *chosen.lines])


@user.command()
@click.argument("name")
@password_options
@operates
def passwd(operator: Operator, name: str, *, way: Way | None) -> Answer:
    """Change the password of NAME, or take it away.

    What was given out for the former one ends: docker logins and browser sessions. Personal tokens stay.
    """
    operator.get(name, USER)
    chosen = choose(way)
    operator.people.set_password(name, chosen.hashed, operator.caller)
    told = "has no password any more" if chosen.hashed is None else "has another password"
    return Answer({"name": name, "password": chosen.generated}, [f"user {name} {told}", *chosen.lines])


@user.command("list")
@operates
def list_users(operator: Operator) -> Answer:
    """List all users."""
    users, now = operator.all(USER), operator.now
    rows = (
        (each.name, state_of(each, now), "yes" if each.is_admin else "no", each.source, each.description)
        for each in users
    )
    heads = ("NAME", "STATE", "ADMIN", "SOURCE", "DESCRIPTION")
    return Answer([principal_document(each, now) for each in users], table(heads, rows))


@user.command()
@click.argument("name")
@operates
def show(operator: Operator, name: str) -> Answer:
    """Show NAME and all that concerns it.

    Its groups; what is granted to it, to them and to everybody; and what it signs in with, but for the secrets.
    """
    return shown(operator, operator.get(name, USER))


@user.command()
@click.argument("name")
@operates
def disable(operator: Operator, name: str) -> Answer:
    """Let NAME do nothing, until it is enabled again."""
    operator.get(name, USER)
    return _told(operator, operator.people.disable(name, operator.caller), "is disabled")


@user.command()
@click.argument("name")
@operates
def enable(operator: Operator, name: str) -> Answer:
    """Let NAME do again what it may."""
    operator.get(name, USER)
    return _told(operator, operator.people.enable(name, operator.caller), "is enabled")


@user.command()
@click.argument("name")
@operates
def remove(operator: Operator, name: str) -> Answer:
    """Remove NAME for good.

    Its tokens and grants end with it. What it pushed stays.
    """
    operator.get(name, USER)
    operator.people.remove(name, operator.caller)
    return Answer({"name": name, "removed": True}, [f"user {name} was removed"])


@user.command()
@click.argument("name")
@click.option("--yes/--no", "is_admin", required=True, help="whether NAME may do everything")
@operates
def admin(operator: Operator, name: str, *, is_admin: bool) -> Answer:
    """Make NAME an administrator, or one no more."""
    operator.get(name, USER)
    changed = operator.people.change(name, operator.caller, lambda each, _: replace(each, is_admin=is_admin))
    return _told(operator, changed, "is an administrator" if is_admin else "is no administrator")


def _told(operator: Operator, changed: Principal, what: str) -> Answer:
    return Answer(principal_document(changed, operator.now), [f"user {changed.name} {what}"])
