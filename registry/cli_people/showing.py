"""One user or robot, with all that concerns it."""

from __future__ import annotations

from registry.cli_people.answer import Answer, section
from registry.cli_people.operator import Operator
from registry.cli_people.views import (
    grant_document,
    principal_document,
    principal_lines,
    rights_section,
    secret_document,
    secret_table,
)
from registry.core.facts import Principal


def shown(operator: Operator, principal: Principal) -> Answer:
    """What it is, its groups, the grants to it, to them and to everybody, and what it signs in with."""
    groups = operator.people.groups_of(principal.name)
    rights = operator.grants.concerning(principal.name)
    credentials = operator.credentials.list(principal.id)
    document = principal_document(principal, operator.now) | {
        "groups": list(groups),
        "grants": [grant_document(each) for each in rights.grants],
        "credentials": [secret_document(each) for each in credentials],
    }
    lines = [
        *principal_lines(principal, operator.now),
        *section("groups", groups or ["none"]),
        *rights_section(rights),
        *section("signs in with", secret_table(credentials)),
    ]
    return Answer(document, lines)
