"""The verbs `entrepot token …`: personal tokens, and all else that was given out to a user or a robot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import click

from registry.cli_options import refuse
from registry.cli_people.answer import Answer
from registry.cli_people.handing import new_secret
from registry.cli_people.operator import USAGE, Operator, operates
from registry.cli_people.typed import expires_option, parse_grants
from registry.cli_people.views import secret_document, secret_table, when
from registry.core.facts import CredentialKind, Principal, PrincipalKind, Secret
from registry.core.refusals import CredentialUnknown

OWNERS: Final = (PrincipalKind.USER, PrincipalKind.ROBOT)


@click.group()
def token() -> None:
    """Tokens: what users were given to sign in with."""


@token.command()
@click.argument("owner", metavar="USER")
@click.option("--label", default="", metavar="TEXT", help="what it is for")
@expires_option
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="'ACTIONS PATTERN'",
    help="what it is good for at the most, such as 'pull team/**'; can be given several times",
)
@operates
def add(operator: Operator, owner: str, *, label: str, expires: timedelta | None, limits: tuple[str, ...]) -> Answer:
    """Make a token for USER, and print its secret."""
    narrowed = parse_grants(limits)
    user, handed = operator.get(owner, PrincipalKind.USER), new_secret()
    given = operator.credentials.give(
        user.id, CredentialKind.TOKEN, handed.made, operator.caller, label=label, limits=narrowed, lifetime=expires
    )
    told = f"a token for {owner}, {given.uuid}, expires {when(given.expires, 'never')}"
    document = secret_document(given) | handed.document(operator, owner)
    return Answer(document, [told, *handed.lines(operator, owner)])


@token.command("list")
@click.argument("owner", metavar="USER")
@operates
def list_tokens(operator: Operator, owner: str) -> Answer:
    """List all that USER was given.

    Personal tokens, browser sessions, and refresh tokens as docker keeps them; of a robot, its secrets.
    """
    secrets = _given_out(operator, operator.get(owner, *OWNERS))
    return Answer([secret_document(each) for each in secrets], secret_table(secrets))


@token.command()
@click.argument("owner", metavar="USER")
@click.argument("uuid", required=False)
@click.option("--all", "is_all", is_flag=True, help="everything that USER was given")
@operates
def revoke(operator: Operator, owner: str, *, uuid: str | None, is_all: bool) -> Answer:
    """Take back one thing that USER was given, or all.

    What was given out for it ends too. The password stays.
    """
    if (uuid is None) != is_all:
        refuse(["give either a UUID or --all"], USAGE)
    principal = operator.get(owner, *OWNERS)
    if uuid is None:
        return _revoked(owner, operator.credentials.revoke_all(principal.id, operator.caller))
    if uuid not in {each.uuid for each in _given_out(operator, principal)}:
        raise CredentialUnknown(uuid=uuid)
    operator.credentials.revoke(principal.id, uuid, operator.caller)
    return _revoked(owner, 1)


def _given_out(operator: Operator, owner: Principal) -> Sequence[Secret]:
    """A password is not: its owner chose it, and `entrepot user passwd` takes it away."""
    return [each for each in operator.credentials.list(owner.id) if each.kind is not CredentialKind.PASSWORD]


def _revoked(owner: str, number: int) -> Answer:
    return Answer({"name": owner, "revoked": number}, [f"taken back from {owner}: {number}"])
