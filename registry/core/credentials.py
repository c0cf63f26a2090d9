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
from registry.core.printable import printable
from registry.core.refusals import CredentialUnknown, TooManyCredentials, Unfit
from registry.core.rights import Grant, limits_text
from registry.oci.errors import Unauthorized

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
class NewCredential:
    """One to be given out: its label, limits (as in `core/rights`), a lifetime, an end or neither; and its parent.

    That is the one which was shown to get it, if any was.
    """

    kind: CredentialKind
    made: Made
    label: str = ""
    limits: str = ""
    lifetime: timedelta | None = None
    expires: datetime | None = None
    parent: int | None = None


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

        Raises: TooManyCredentials, Unauthorized; Unfit for an end that has passed.
        """
        wanted = NewCredential(kind, made, label, limits_text(limits), lifetime, expires, parent)
        return self.metadata.transact(lambda tx: give(tx, owner, wanted, by))

    def list(self, owner: int) -> Sequence[Secret]:
        """Those that are good by now, newest first; never their secrets."""
        return self.metadata.observe(lambda tx: tx.credentials.of(owner))

    def revoke(self, owner: int, uuid: str, by: Caller) -> None:
        """Take it back, and whatever was given out for it; a password is not given out.

        Raises: CredentialUnknown, Unfit.
        """

        def end(tx: Transaction) -> None:
            secret = tx.credentials.find(owner, uuid)
            if secret is None:
                raise CredentialUnknown(uuid=uuid[:100])
            if secret.kind is CredentialKind.PASSWORD:
                raise Unfit(uuid=uuid, reason="a password is changed, or taken away with its account")
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


def give(tx: Transaction, owner: int, wanted: NewCredential, by: Caller) -> Secret:
    """One more credential of the principal `owner`.

    Raises: TooManyCredentials; Unauthorized when the one that was shown for it is good no more; Unfit for an end that
    has passed.
    """
    _make_room(tx, owner, wanted.kind)
    added = tx.credentials.add(
        owner, wanted.kind, wanted.made.hashed, label=printable(wanted.label, _LONGEST_LABEL), hint=wanted.made.hint,
        limits=wanted.limits, expires=_end(tx, wanted), parent=wanted.parent, made_from=by.address,
    )  # fmt: skip
    if wanted.kind is not CredentialKind.REFRESH:
        detail = f"{added.kind} {added.label}"
        tx.journal.note(Action.GIVE_CREDENTIAL, by, target=tx.people.name_of(owner), detail=detail)
    return added


def _make_room(tx: Transaction, owner: int, kind: CredentialKind) -> None:
    """Refresh tokens pile up by themselves: every docker login makes one, and no logout takes it back.

    Raises: TooManyCredentials, for what somebody has asked for.
    """
    if tx.credentials.count(owner, kind) < MOST_OF_A_KIND:
        return
    if kind not in {CredentialKind.REFRESH, CredentialKind.SESSION}:
        raise TooManyCredentials(limit=MOST_OF_A_KIND)
    tx.credentials.revoke_stalest(owner, kind)


def _end(tx: Transaction, wanted: NewCredential) -> datetime | None:
    """Nothing outlives what was shown to get it. Raises: Unauthorized, Unfit."""
    if wanted.expires is not None and wanted.expires <= tx.now:
        raise Unfit(expires=wanted.expires.isoformat(), reason="this has passed")
    ends = wanted.expires if wanted.lifetime is None else tx.now + wanted.lifetime
    if wanted.parent is None:
        return ends
    parent = tx.credentials.hold(wanted.parent)
    if parent is None:
        raise Unauthorized
    return min((each for each in (ends, parent.expires) if each is not None), default=None)
