"""What proves who somebody is, given out and taken back: passwords, personal tokens, refresh tokens, sessions.

    password ── shown to the token service ──▶ refresh token ──▶ bearer tokens
    token    ──▶ bearer tokens
    session  ── a browser that signed in
    external ── a directory's password ──▶ bearer tokens, for as long as the directory goes on to say yes

A credential knows which one was shown when it was given out: they are taken back together. A bearer token names its
credential, so it ends with it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from registry.core.facts import Action, Caller, CredentialKind, Secret
from registry.core.ports import Metadata, Transaction
from registry.core.refusals import CredentialUnknown, TooManyCredentials, Unfit
from registry.core.rights import Grant, limits_text

MOST_OF_A_KIND: Final = 200
"""Of one principal: whoever lets them pile up is a program that should keep the one it has."""
_LONGEST_LABEL: Final = 100
# In an order that counts each: what was given out for another one goes with it.
_GIVEN_OUT: Final = (
    CredentialKind.REFRESH, CredentialKind.SESSION, CredentialKind.TOKEN, CredentialKind.EXTERNAL,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """A secret of our own making, as it is kept: its hash, and by what its owner knows it again."""

    hashed: str
    hint: str


@dataclass(frozen=True, slots=True)
class CredentialService:
    """The rules; who may ask for what is decided before (`core/access`, the routes)."""

    metadata: Metadata

    def give(  # noqa: PLR0913  what is known of a credential
        self,
        owner: int,
        kind: CredentialKind,
        made: Made,
        by: Caller,
        *,
        label: str = "",
        limits: Iterable[Grant] = (),
        lifetime: timedelta | None = None,
        expires: datetime | None = None,
        parent: int | None = None,
    ) -> Secret:
        """One more credential of the principal `owner`, with a lifetime, an end, or neither.

        Raises: TooManyCredentials; Unfit for an end that has passed.
        """
        text = limits_text(limits)

        def add(tx: Transaction) -> Secret:
            if tx.credentials.count(owner, kind) >= MOST_OF_A_KIND:
                # Refresh tokens pile up by themselves: every docker login makes one, and no logout takes it back.
                if kind not in {CredentialKind.REFRESH, CredentialKind.SESSION}:
                    raise TooManyCredentials(limit=MOST_OF_A_KIND)
                tx.credentials.revoke_stalest(owner, kind)
            if expires is not None and expires <= tx.now:
                raise Unfit(expires=expires.isoformat(), reason="this has passed")
            ends = expires if lifetime is None else tx.now + lifetime
            added = tx.credentials.add(
                owner, kind, made.hashed, label=label[:_LONGEST_LABEL], hint=made.hint, limits=text, expires=ends,
                parent=parent, made_from=by.address,
            )  # fmt: skip
            if kind is not CredentialKind.REFRESH:
                tx.journal.note(Action.GIVE_CREDENTIAL, by, target=tx.people.name_of(owner), detail=f"{kind} {label}")
            return added

        return self.metadata.transact(add)

    def list(self, owner: int) -> Sequence[Secret]:
        """Those that are good by now, newest first; never their secrets."""
        return self.metadata.observe(lambda tx: tx.credentials.of(owner))

    def revoke(self, owner: int, uuid: str, by: Caller) -> None:
        """Take it back, and whatever was given out for it. Raises: CredentialUnknown."""

        def end(tx: Transaction) -> None:
            secret = tx.credentials.find(owner, uuid)
            if secret is None:
                raise CredentialUnknown(uuid=uuid)
            tx.credentials.revoke(secret.id)
            detail = f"{secret.kind} {secret.label}"
            tx.journal.note(Action.REVOKE_CREDENTIAL, by, target=tx.people.name_of(owner), detail=detail)

        self.metadata.transact(end)

    def revoke_all(self, owner: int, by: Caller) -> int:
        """Take back all that was given out, and leave the password; how many there were."""

        def end(tx: Transaction) -> int:
            ended = sum(tx.credentials.revoke_all(owner, [kind]) for kind in _GIVEN_OUT)
            if ended:
                target = tx.people.name_of(owner)
                tx.journal.note(Action.REVOKE_CREDENTIAL, by, target=target, detail=f"all: {ended}")
            return ended

        return self.metadata.transact(end)

    def sign_out(self, caller: Caller) -> None:
        """Take back the credential that the caller came with; a second time nothing happens."""
        credential = caller.credential
        if credential is None:
            return

        def end(tx: Transaction) -> None:
            tx.credentials.revoke(credential)
            tx.journal.note(Action.REVOKE_CREDENTIAL, caller, target=caller.name, detail="signed out")

        self.metadata.transact(end)

    def note_use(self, used: Iterable[tuple[int, datetime]]) -> None:
        """Remember when credentials were used last; gathered in memory, told now and then (design 8)."""
        latest = sorted(dict(used).items())
        if latest:
            self.metadata.transact(lambda tx: tx.credentials.note_use(latest))
