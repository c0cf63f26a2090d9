"""What the page of an account prints: plain facts, in the words and the order in which they stand there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from registry.core.access import is_admin
from registry.core.facts import LOCAL, Caller, CredentialKind, Principal, Secret
from registry.web.rights_in_words import Line, limits_in_words, lines_of

SHOWN: Final = (CredentialKind.TOKEN, CredentialKind.SESSION, CredentialKind.REFRESH)
"""Credentials that somebody may see and take back here, in the order of the page."""


@dataclass(frozen=True, slots=True)
class SecretLine:
    """One credential in a list; `is_this` the browser's own session."""

    uuid: str
    label: str
    hint: str
    limits: str
    made: str
    made_from: str
    used: str
    expires: str
    is_this: bool

    @classmethod
    def of(cls, secret: Secret, this: int | None) -> Self:
        """As it is listed."""
        return cls(
            uuid=secret.uuid,
            label=secret.label or "unnamed",
            hint=secret.hint,
            limits=limits_in_words(secret.limits),
            made=instant(secret.created),
            made_from=secret.made_from,
            used=_use(secret, this),
            expires=instant(secret.expires) if secret.expires else "never",
            is_this=secret.id == this,
        )


@dataclass(frozen=True, slots=True)
class AccountView:
    """Who somebody is here, what that allows, and what proves it."""

    name: str
    source: str
    has_password: bool
    is_admin: bool
    groups: Sequence[str]
    rights: Sequence[Line]
    tokens: Sequence[SecretLine]
    sessions: Sequence[SecretLine]
    clients: Sequence[SecretLine]

    @classmethod
    def of(cls, caller: Caller, user: Principal, groups: Sequence[str], secrets: Iterable[Secret]) -> Self:
        """Of who has signed in."""
        lists = {
            kind: [SecretLine.of(each, caller.credential) for each in secrets if each.kind is kind] for kind in SHOWN
        }
        return cls(
            name=user.name,
            source="this registry" if user.source == LOCAL else user.source,
            has_password=user.source == LOCAL,
            is_admin=is_admin(caller),
            groups=groups,
            rights=lines_of(caller.rights.grants, user.name),
            tokens=lists[CredentialKind.TOKEN],
            sessions=lists[CredentialKind.SESSION],
            clients=lists[CredentialKind.REFRESH],
        )


def _use(secret: Secret, this: int | None) -> str:
    if secret.id == this:
        # What is known of it is a minute old.
        return "In use"
    return f"Last used {instant(secret.used)}" if secret.used else "Not used yet"


def instant(at: datetime) -> str:
    """Such as `28 Nov 2026, 09:15 UTC`."""
    return f"{at.day} {at:%b %Y, %H:%M} UTC"
