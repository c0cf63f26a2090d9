"""Who is let in by the word of another: somebody whom a source of sign-ins vouches for becomes a user here.

    (source, subject)   known ──▶ that user, whatever its name is there by now
                        new   ──▶ a user of that name, if nobody has it: a name is never taken over

What the source says of groups replaces what it said before; what others say of them stays. A user that was disabled
here stays so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from registry.core.facts import Action, Caller, CredentialKind, ExternalIdentity, Principal, PrincipalKind
from registry.core.ports import Metadata, Transaction
from registry.core.principal_names import group_name, user_name
from registry.core.refusals import NotAdmitted, Unfit

LASTING: Final = timedelta(hours=1)
"""How long what was given out for a directory's password is good for, unless the password is shown again."""


@dataclass(frozen=True, slots=True)
class AdmissionService:
    """The rules; the identity has been proved."""

    metadata: Metadata

    def admit(self, identity: ExternalIdentity, address: str = "") -> Principal:
        """The user that it is here, its groups as they are there now. Raises: NotAdmitted."""
        return self.metadata.transact(lambda tx: _admit(tx, identity, address))

    def admit_by_password(self, identity: ExternalIdentity, address: str = "") -> int:
        """The same of whoever has shown a password; the credential that stands for it. Raises: NotAdmitted."""

        def enter(tx: Transaction) -> int:
            return _stand_in(tx, _admit(tx, identity, address), address)

        return self.metadata.transact(enter)


def _admit(tx: Transaction, identity: ExternalIdentity, address: str) -> Principal:
    user = tx.people.find_external(identity.source, identity.subject) or _new(tx, identity, address)
    if user.disabled is not None:
        raise NotAdmitted(name=user.name, reason="the account is disabled here")
    by = Caller(user.id, user.name, address=address)
    if user.is_admin != identity.is_admin:
        user = tx.people.change(replace(user, is_admin=identity.is_admin)) or user
        detail = f"is_admin: {identity.is_admin}, says {identity.source}"
        tx.journal.note(Action.CHANGE_PRINCIPAL, by, target=user.name, detail=detail)
    _regroup(tx, user, identity, by)
    return user


def _new(tx: Transaction, identity: ExternalIdentity, address: str) -> Principal:
    """Raises: NotAdmitted."""
    try:
        name = user_name(identity.name)
    except Unfit as error:
        raise NotAdmitted(**error.detail) from None
    added = tx.people.add(
        PrincipalKind.USER, name, is_admin=identity.is_admin, source=identity.source, external_id=identity.subject
    )
    if added is None:
        # Somebody has the name: this very one, if another worker was quicker.
        present = tx.people.find_external(identity.source, identity.subject)
        if present is None:
            raise NotAdmitted(name=name, reason="somebody else has this name here")
        return present
    detail = f"by {identity.source}" + (", admin" if identity.is_admin else "")
    tx.journal.note(Action.ADD_PRINCIPAL, Caller(added.id, name, address=address), target=name, detail=detail)
    return added


def _regroup(tx: Transaction, user: Principal, identity: ExternalIdentity, by: Caller) -> None:
    """From now on in these groups and, by the word of this source, in no others."""
    former = {name for name, source in tx.people.memberships(user.id) if source == identity.source}
    groups = [group for name in sorted(identity.groups) if (group := _group(tx, name, identity.source, by))]
    present = {group.name for group in groups}
    if present == former:
        return
    tx.people.replace_groups(user.id, identity.source, [group.id for group in groups])
    detail = f"{user.name}, says {identity.source}"
    for name in sorted(present - former):
        tx.journal.note(Action.JOIN_GROUP, by, target=name, detail=detail)
    for name in sorted(former - present):
        tx.journal.note(Action.LEAVE_GROUP, by, target=name, detail=detail)


def _group(tx: Transaction, name: str, source: str, by: Caller) -> Principal | None:
    """The group of this name, made when it is missing; None where no word from outside puts anybody into it.

    A group that administers takes in whom its own source names: else whoever may name groups there would rule here.
    """
    try:
        fit = group_name(name)
    except Unfit:
        return None
    group = tx.people.find(fit)
    if group is None:
        group = tx.people.add(PrincipalKind.GROUP, fit, source=source)
        if group is None:
            return tx.people.find(fit)
        tx.journal.note(Action.ADD_PRINCIPAL, by, target=fit, detail=f"by {source}")
    return None if group.is_admin and group.source != source else group


def _stand_in(tx: Transaction, user: Principal, address: str) -> int:
    """One for each user: what is given out for it names it, and ends with it."""
    expires = tx.now + LASTING
    present = tx.credentials.external(user.id)
    if present is not None:
        tx.credentials.extend(present, expires)
        return present
    # Nobody signs in by this text: it only has to differ from all others.
    text = f"{CredentialKind.EXTERNAL} {user.uuid} {tx.now.isoformat()}"
    return tx.credentials.add(
        user.id, CredentialKind.EXTERNAL, text, label=user.source, hint="", limits="", expires=expires, parent=None,
        made_from=address,
    ).id  # fmt: skip
