"""The principals that every registry has: `admin`, and the two that stand for callers without a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from registry.core.facts import Caller
from registry.core.ports import Metadata, Transaction

ADMIN: Final = "admin"
# No account can have these names: an account's name holds no parenthesis.
ANONYMOUS: Final = "(anonymous)"
OPEN: Final = "(open)"


@dataclass(frozen=True, slots=True)
class Residents:
    """Who is there from the first start on; `open` may do everything, and acts only where authentication is off."""

    anonymous: Caller
    open: Caller
    admin: Caller


def settle(metadata: Metadata, first_secret: Callable[[], str]) -> tuple[Residents, bool]:
    """Find them, or make them on a first start; whether `admin` was made, with the hash that `first_secret` gives.

    Several processes may start at once: the database lets one of them make the account.
    """
    present = metadata.observe(_find)
    if present is not None:
        return present, False
    # Outside the transaction: it costs a password hash, and every writer would wait for it.
    secret = first_secret()

    def make(tx: Transaction) -> tuple[Residents, bool]:
        already = _find(tx)
        if already is not None:
            return already, False
        admin = tx.accounts.add(ADMIN, "user", is_admin=True)
        tx.accounts.add_password(admin, secret)
        anonymous = tx.accounts.add(ANONYMOUS, "anonymous")
        return Residents(anonymous, tx.accounts.add(OPEN, "open", is_admin=True), admin), True

    return metadata.transact(make)


def residents_of(metadata: Metadata) -> Residents:
    """Those of a database that is prepared. Raises: RuntimeError."""
    present = metadata.observe(_find)
    if present is None:
        raise RuntimeError("the database is not prepared: its accounts are missing")
    return present


def _find(tx: Transaction) -> Residents | None:
    anonymous, everyone, admin = (tx.accounts.find(name) for name in (ANONYMOUS, OPEN, ADMIN))
    return Residents(anonymous, everyone, admin) if anonymous and everyone and admin else None
