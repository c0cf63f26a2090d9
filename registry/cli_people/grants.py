"""The verbs `entrepot grant …`."""

from __future__ import annotations

from typing import Final

import click

from registry.cli_options import refuse
from registry.cli_people.answer import Answer, table
from registry.cli_people.operator import FAILED, USAGE, Operator, every, operates
from registry.cli_people.views import GRANT_HEADS, given_document, grant_document, grant_row, when
from registry.core.facts import GivenGrant
from registry.core.rights import PRESETS, WORDS
from registry.oci.names import RepositoryName

_PAGE: Final = 1000


@click.group()
def grant() -> None:
    """Grants: who may do what, and why.

    A grant says what a SUBJECT may do on the repositories of a PATTERN; a denial, what it may not, and wins.
    A SUBJECT is a user (alice), a group (@devs), a robot (team+ci), or everybody (anyone).
    """


@grant.command(epilog=f"Actions: {', '.join(WORDS)}. Presets: {', '.join(PRESETS)}.")
@click.argument("subject")
@click.argument("actions", metavar="ACTIONS|PRESET")
@click.argument("pattern")
@click.option("--deny", is_flag=True, help="deny it instead, whatever else is granted")
@operates
def add(operator: Operator, subject: str, actions: str, pattern: str, *, deny: bool) -> Answer:
    """Grant SUBJECT some ACTIONS on a PATTERN.

    ACTIONS are written with commas between them. What was granted to SUBJECT on this very PATTERN before is replaced.
    A PATTERN is a repository's name, or one with wildcards: team/app-* within one component,
    team/** for everything below, ** for all.
    """
    given = operator.grants.put(subject, pattern, actions.split(","), operator.caller, denies=deny)
    return Answer(given_document(given), [str(given.grant)])


@grant.command("list")
@click.argument("subject", required=False)
@operates
def list_grants(operator: Operator, subject: str | None) -> Answer:
    """List all grants, or those to SUBJECT itself."""
    found = every(lambda last: operator.grants.page(last, _PAGE, subject), lambda each: each.grant.uuid)
    given = sorted(found, key=lambda each: (each.grant.subject, each.grant.pattern, each.grant.denies))
    heads = (*GRANT_HEADS, "BY", "SINCE", "UUID")
    return Answer([given_document(each) for each in given], table(heads, map(_row, given)))


def _row(given: GivenGrant) -> tuple[str, ...]:
    return *grant_row(given.grant), given.by, when(given.created), given.grant.uuid


@grant.command()
@click.argument("words", metavar="SUBJECT PATTERN | UUID", nargs=-1, required=True)
@click.option("--deny", is_flag=True, help="the denial of SUBJECT on PATTERN, not the grant")
@operates
def remove(operator: Operator, words: tuple[str, ...], *, deny: bool) -> Answer:
    """Take back a grant, or a denial."""
    match words:
        case (uuid,) if not deny:
            gone = operator.grants.remove(uuid, operator.caller)
        case (subject, pattern):
            gone = operator.grants.remove_on(subject, pattern, operator.caller, denies=deny)
        case _:
            refuse(["give a SUBJECT and a PATTERN, or a UUID alone"], USAGE)
    return Answer(given_document(gone) | {"removed": True}, [f"taken back: {gone.grant}"])


@grant.command()
@click.argument("subject")
@click.argument("action")
@click.argument("repository")
@operates
def explain(operator: Operator, subject: str, action: str, repository: str) -> Answer:
    """Say whether SUBJECT may do something, and why.

    The exit status is 0 when it may, and 1 when it may not.
    """
    found = operator.grants.explain(subject, action, RepositoryName.parse(repository))
    document = {
        "allowed": found.allowed,
        "sentence": found.sentence,
        "grant": None if found.because is None else grant_document(found.because),
    }
    return Answer(document, [found.sentence], 0 if found.allowed else FAILED)
