"""Principals, grants and credentials as they are printed: as documents, whose keys stay, and as rows of tables."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from registry.cli_people.answer import pairs, section, table
from registry.core.facts import LOCAL, GivenGrant, Principal, PrincipalKind, Secret
from registry.core.people import WARNING
from registry.core.principal_names import project_of
from registry.core.rights import Grant, Rights

Document = dict[str, object]


def state_of(principal: Principal, now: datetime) -> str:
    """One word, of which `active` alone lets it do anything."""
    if principal.disabled is not None:
        return "disabled"
    return "expired" if principal.expires is not None and principal.expires <= now else "active"


def expires_soon(principal: Principal, now: datetime) -> bool:
    """Whether it is time to think of it."""
    return principal.expires is not None and now < principal.expires <= now + WARNING


def principal_document(principal: Principal, now: datetime) -> Document:
    """A robot has its project and its end too."""
    document: Document = {
        "name": principal.name,
        "kind": principal.kind.value,
        "state": state_of(principal, now),
        "is_admin": principal.is_admin,
        "description": principal.description,
        "source": principal.source,
        "created": _iso(principal.created),
        "disabled": _iso(principal.disabled),
    }
    if principal.kind is PrincipalKind.ROBOT:
        document |= {
            "project": project_of(principal.name),
            "expires": _iso(principal.expires),
            "expires_soon": expires_soon(principal, now),
        }
    return document


def principal_lines(principal: Principal, now: datetime) -> list[str]:
    """The same for people."""
    is_robot = principal.kind is PrincipalKind.ROBOT
    return pairs(
        {
            "name": principal.name,
            "state": state_of(principal, now),
            "administrator": "yes" if principal.is_admin else "",
            "description": principal.description,
            "signs in by": "" if principal.source == LOCAL else principal.source,
            "created": when(principal.created),
            "disabled": when(principal.disabled),
            "expires": told_end(principal, now) if is_robot else "",
        }
    )


def told_end(principal: Principal, now: datetime) -> str:
    """When a robot expires, and a mark where that is soon."""
    return when(principal.expires, "never") + (" (soon)" if expires_soon(principal, now) else "")


def grant_document(grant: Grant) -> Document:
    """What the settings grant has no UUID."""
    return {
        "uuid": grant.uuid or None,
        "subject": grant.subject,
        "denies": grant.denies,
        "actions": list(grant.actions),
        "pattern": grant.pattern.text,
    }


def given_document(given: GivenGrant) -> Document:
    """The same, and who gave it when."""
    return grant_document(given.grant) | {"created": _iso(given.created), "by": given.by}


def grant_row(grant: Grant) -> tuple[str, ...]:
    """Below `GRANT_HEADS`."""
    verb = "denies" if grant.denies else "grants"
    return grant.subject, verb, ",".join(grant.actions), grant.pattern.text


GRANT_HEADS = ("SUBJECT", "VERB", "ACTIONS", "PATTERN")


def secret_document(secret: Secret) -> Document:
    """Never the secret itself."""
    return {
        "uuid": secret.uuid,
        "kind": secret.kind.value,
        "label": secret.label,
        "hint": secret.hint,
        "limits": secret.limits.splitlines(),
        "made_from": secret.made_from,
        "created": _iso(secret.created),
        "expires": _iso(secret.expires),
        "used": _iso(secret.used),
    }


def secret_table(secrets: Iterable[Secret]) -> list[str]:
    """Those of one principal."""
    heads = ("KIND", "LABEL", "HINT", "LIMITS", "MADE FROM", "CREATED", "EXPIRES", "LAST USED", "UUID")
    return table(
        heads,
        (
            (
                each.kind.value, each.label, each.hint, "; ".join(each.limits.splitlines()), each.made_from,
                when(each.created), when(each.expires, "never"), when(each.used, "never"), each.uuid,
            )
            for each in secrets
        ),
    )  # fmt: skip


def rights_section(rights: Rights) -> list[str]:
    """What speaks of somebody, whoever it was given to."""
    return section("grants", table(GRANT_HEADS, map(grant_row, rights.grants)))


def when(instant: datetime | None, never: str = "") -> str:
    """To the minute, UTC."""
    return never if instant is None else f"{instant:%Y-%m-%d %H:%M}"


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat(timespec="seconds")
