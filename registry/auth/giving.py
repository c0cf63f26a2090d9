"""A secret of our own making, given out: kept as its hash, and told this once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Required, TypedDict, Unpack

from registry.auth.opaque import Opaque
from registry.core.credentials import CredentialService, Made
from registry.core.facts import Caller, CredentialKind, Secret
from registry.core.rights import Grant


class Wish(TypedDict, total=False):
    """What `CredentialService.give` is told of it."""

    kind: Required[CredentialKind]
    label: str
    limits: tuple[Grant, ...] | list[Grant]
    lifetime: timedelta | None
    expires: datetime | None
    parent: int | None


def made(kind: CredentialKind) -> tuple[str, Made]:
    """A new secret, and how it is kept. Raises: KeyError for a kind that people choose themselves."""
    opaque = Opaque.generate(kind)
    return opaque.text, Made(opaque.hashed, opaque.hint)


def give_new(credentials: CredentialService, owner: int, by: Caller, **wish: Unpack[Wish]) -> tuple[str, Secret]:
    """A new secret of the principal `owner`, and what is known of it. Raises: as `CredentialService.give`."""
    text, kept = made(wish["kind"])
    return text, credentials.give(owner, made=kept, by=by, **wish)
