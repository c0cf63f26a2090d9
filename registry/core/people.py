"""Users, groups and robots: made, changed and removed. Who may do that is decided before (`core/administration`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from registry.core.accounts import ADMIN
from registry.core.credentials import Made, NewCredential, give
from registry.core.facts import LOCAL, Action, Caller, CredentialKind, Principal, PrincipalKind, Secret
from registry.core.nouns.people import ALL, FIRST
from registry.core.ports import Metadata, Transaction
from registry.core.principal_names import group_name, project_of, robot_name, user_name
from registry.core.refusals import Changed, LastAdministrator, NameTaken, PrincipalUnknown, Unfit

WARNING: Final = timedelta(days=14)
"""How long before its end a robot's owner hears of it."""


@dataclass(frozen=True, slots=True)
class PeopleService:
    """The rules. Secrets come hashed: to hash one takes longer than any transaction should."""

    metadata: Metadata

    def get(self, name: str) -> Principal:
        """Raises: PrincipalUnknown."""
        return self.metadata.observe(lambda tx: known(tx, name))

    def find(self, name: str) -> Principal | None:
        """The one of this name, if there is any."""
        return self.metadata.observe(lambda tx: tx.people.find(name))

    def page(self, kind: PrincipalKind, last: str, limit: int, words: str = "") -> Sequence[Principal]:
        """By their names, after `last`."""
        return self.metadata.observe(lambda tx: tx.people.page(kind, last, limit, words))

    def add_user(
        self, name: str, by: Caller, *, password: str | None = None, is_admin: bool = False, description: str = ""
    ) -> Principal:
        """Without a password, one who signs in elsewhere, or not yet. Raises: Unfit, NameTaken."""
        fit = user_name(name)

        def add(tx: Transaction) -> Principal:
            made = tx.people.add(PrincipalKind.USER, fit, is_admin=is_admin, description=description)
            user = added(tx, made, fit, by)
            if password is not None:
                tx.credentials.set_password(user.id, password)
            return user

        return self.metadata.transact(add)

    def set_password(self, name: str, password: str | None, by: Caller) -> Secret | None:
        """From now on it is this one, or none; browsers and clients that signed in by the former are signed out.

        Raises: PrincipalUnknown; Unfit for who has none: a robot, a group, or somebody who signs in elsewhere;
        LastAdministrator.
        """
        return self.metadata.transact(lambda tx: give_password(tx, known(tx, name), password, by))

    def change(
        self, name: str, by: Caller, alter: Callable[[Principal, datetime], Principal], *, version: int | None = None
    ) -> Principal:
        """Keep what `alter` makes of it, at the transaction's instant; of this `version`, if one is given.

        Raises: PrincipalUnknown, Changed, LastAdministrator, Unfit.
        """

        def keep(tx: Transaction) -> Principal:
            former = known(tx, name)
            if version is not None and former.version != version:
                raise Changed(name=name)
            return changed(tx, former, alter(former, tx.now), by)

        return self.metadata.transact(keep)

    def disable(self, name: str, by: Caller) -> Principal:
        """It can do nothing until it is enabled again; nothing of it is lost. Raises: as `change`."""
        return self.change(name, by, lambda each, now: each if each.disabled else replace(each, disabled=now))

    def enable(self, name: str, by: Caller) -> Principal:
        """Raises: as `change`."""
        return self.change(name, by, lambda each, _: replace(each, disabled=None))

    def remove(self, name: str, by: Caller, *, version: int | None = None) -> None:
        """For good: what it pushed stays, and what happened; of this `version`, if one is given.

        Raises: PrincipalUnknown, Changed, LastAdministrator, Unfit.
        """

        def end(tx: Transaction) -> None:
            gone = known(tx, name)
            if version is not None and gone.version != version:
                raise Changed(name=name)
            if gone.kind is PrincipalKind.ANONYMOUS:
                raise Unfit(name=name, reason="nobody can remove everybody")
            if gone.name == ADMIN:
                # Whoever works at the machine itself acts in its name, and a start would miss it.
                raise Unfit(name=name, reason="the first account stays; it can be disabled")
            _guard_administration(tx, gone, replace(gone, is_admin=False))
            tx.people.remove(gone)
            tx.journal.note(Action.REMOVE_PRINCIPAL, by, target=name)

        self.metadata.transact(end)

    def add_group(self, name: str, by: Caller, *, is_admin: bool = False, description: str = "") -> Principal:
        """With `is_admin`, its members may do everything. Raises: Unfit, NameTaken."""
        fit = group_name(name)

        def add(tx: Transaction) -> Principal:
            made = tx.people.add(PrincipalKind.GROUP, fit, is_admin=is_admin, description=description)
            return added(tx, made, fit, by)

        return self.metadata.transact(add)

    def members(self, group: str, last: tuple[str, str] = FIRST, limit: int = ALL) -> Sequence[tuple[str, str]]:
        """Names, and the source that says so, in their order, after `last`. Raises: PrincipalUnknown."""
        return self.metadata.observe(lambda tx: tx.people.members(_group(tx, group).id, last, limit))

    def groups_of(self, name: str) -> Sequence[str]:
        """Raises: PrincipalUnknown."""
        return self.metadata.observe(lambda tx: tx.people.groups_of(known(tx, name).id))

    def join(self, group: str, member: str, by: Caller) -> bool:
        """Whether that is new. Raises: PrincipalUnknown; Unfit, as a group holds users and robots only."""

        def enter(tx: Transaction) -> bool:
            whole, part = _group(tx, group), known(tx, member)
            if part.kind not in {PrincipalKind.USER, PrincipalKind.ROBOT}:
                raise Unfit(name=member, reason="a group holds users and robots")
            is_new = tx.people.join(whole.id, part.id)
            if is_new:
                tx.journal.note(Action.JOIN_GROUP, by, target=group, detail=member)
            return is_new

        return self.metadata.transact(enter)

    def leave(self, group: str, member: str, by: Caller) -> bool:
        """Whether it was in it, as far as that is decided here. Raises: PrincipalUnknown."""

        def exit_(tx: Transaction) -> bool:
            was_in = tx.people.leave(_group(tx, group).id, known(tx, member).id)
            if was_in:
                tx.journal.note(Action.LEAVE_GROUP, by, target=group, detail=member)
            return was_in

        return self.metadata.transact(exit_)

    def add_robot(
        self, project: str, name: str, by: Caller, *, lifetime: timedelta | None = None, description: str = ""
    ) -> Principal:
        """It has no secret yet (`rotate`) and may do nothing yet. Raises: Unfit, NameTaken."""
        fit = robot_name(project, name)

        def add(tx: Transaction) -> Principal:
            expires = None if lifetime is None else tx.now + lifetime
            made = tx.people.add(PrincipalKind.ROBOT, fit, description=description, expires=expires)
            return added(tx, made, fit, by)

        return self.metadata.transact(add)

    def robots(self, project: str, last: str, limit: int) -> Sequence[Principal]:
        """Those of one project by their names, after the one that it calls `last`."""
        found = self.page(PrincipalKind.ROBOT, f"{project}+{last}", limit)
        return [each for each in found if project_of(each.name) == project]

    def rotate(self, robot: str, made: Made, by: Caller, *, keep_former: bool = False) -> None:
        """A secret for the robot, in place of those it had or beside them.

        Raises: PrincipalUnknown, Unfit, TooManyCredentials.
        """

        def replace_secret(tx: Transaction) -> None:
            principal = known(tx, robot)
            if principal.kind is not PrincipalKind.ROBOT:
                raise Unfit(name=robot, reason="only a robot has secrets that are given to it")
            if not keep_former:
                tx.credentials.revoke_all(principal.id, [CredentialKind.TOKEN])
            give(tx, principal.id, NewCredential(CredentialKind.TOKEN, made, "secret"), by)

        self.metadata.transact(replace_secret)

    def warn_of_ends(self, by: Caller) -> Sequence[Principal]:
        """An event for each robot that will expire soon, once; those robots."""

        def warn(tx: Transaction) -> Sequence[Principal]:
            soon = tx.people.expiring(tx.now + WARNING)
            for robot in soon:
                tx.people.warned(robot.id)
                tx.journal.note(Action.EXPIRING_ROBOT, by, target=robot.name, detail=f"expires {robot.expires}")
            return soon

        return (
            self.metadata.transact(warn)
            if self.metadata.observe(lambda tx: tx.people.expiring(tx.now + WARNING))
            else []
        )


def known(tx: Transaction, name: str) -> Principal:
    """Raises: PrincipalUnknown."""
    principal = tx.people.find(name)
    if principal is None:
        raise PrincipalUnknown(name=name[:200])
    return principal


def _group(tx: Transaction, name: str) -> Principal:
    group = known(tx, name)
    if group.kind is not PrincipalKind.GROUP:
        raise PrincipalUnknown(name=name, reason="it is no group")
    return group


def added(tx: Transaction, made: Principal | None, name: str, by: Caller) -> Principal:
    """The one that was made, told of. Raises: NameTaken when there is none."""
    if made is None:
        raise NameTaken(name=name)
    tx.journal.note(Action.ADD_PRINCIPAL, by, target=name, detail="admin" if made.is_admin else "")
    return made


def changed(tx: Transaction, former: Principal, wanted: Principal, by: Caller) -> Principal:
    """What `former` is from now on, told of. Raises: Changed, LastAdministrator, Unfit."""
    if wanted == former:
        return former
    if former.kind is PrincipalKind.ANONYMOUS:
        raise Unfit(name=former.name, reason="everybody cannot be changed")
    _guard_administration(tx, former, wanted)
    kept = tx.people.change(wanted)
    if kept is None:
        raise Changed(name=former.name)
    tx.journal.note(Action.CHANGE_PRINCIPAL, by, target=former.name, detail=_difference(former, kept))
    return kept


def give_password(tx: Transaction, user: Principal, password: str | None, by: Caller) -> Secret | None:
    """From now on it is this one, or none. Raises: Unfit, LastAdministrator."""
    given = None
    if user.kind is not PrincipalKind.USER or user.source != LOCAL:
        raise Unfit(name=user.name, reason="only a user who signs in here has a password")
    if password is None:
        _guard_administration(tx, user, replace(user, is_admin=False))
        tx.credentials.revoke_all(user.id, [CredentialKind.PASSWORD])
    else:
        given = tx.credentials.set_password(user.id, password)
    tx.credentials.revoke_all(user.id, [CredentialKind.SESSION])
    tx.journal.note(Action.CHANGE_PASSWORD, by, target=user.name, detail="none" if password is None else "")
    return given


def _guard_administration(tx: Transaction, former: Principal, wanted: Principal) -> None:
    """Raises: LastAdministrator."""
    could = former.kind is PrincipalKind.USER and former.is_admin and former.disabled is None
    can = wanted.is_admin and wanted.disabled is None and wanted.expires is None
    if could and not can and not tx.people.other_administrators(former.id):
        raise LastAdministrator(name=former.name)


def _difference(former: Principal, changed: Principal) -> str:
    told = ("is_admin", "description", "disabled", "expires")
    return ", ".join(
        f"{each}: {getattr(changed, each)}" for each in told if getattr(former, each) != getattr(changed, each)
    )
