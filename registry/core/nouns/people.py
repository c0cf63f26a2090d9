"""What a transaction can be asked and told of people, their credentials, their grants, and logins that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from registry.core.facts import LOCAL, Caller, Credential, CredentialKind, GivenGrant, Principal, PrincipalKind, Secret
from registry.core.patterns import Pattern, Span
from registry.core.rights import Rights

ALL: Final = 1 << 31
"""A limit that nothing reaches."""
FIRST: Final = ("", "")
"""What every pair of names comes after."""


class Accounts(Protocol):
    """Who there is, what proves it, and the keys that sign for it."""

    def find(self, name: str) -> Caller | None:
        """The principal of this name, disabled or not: to act for it, ask for its credential."""
        ...

    def add(self, name: str, kind: str, *, is_admin: bool = False) -> Caller: ...
    def add_password(self, caller: Caller, secret: str) -> None:
        """A first password, hashed."""
        ...

    def rehash(self, credential: Credential, secret: str) -> None:
        """The same password under a better hash: still the same credential."""
        ...

    def signing_keys(self) -> Sequence[tuple[str, bytes]]:
        """Key ids with their sealed keys, oldest first."""
        ...

    def add_signing_key(self, kid: str, sealed: bytes, created: datetime, expires: datetime) -> None: ...


class People(Protocol):
    """Users, groups and robots. Every change that decides what somebody may do makes all workers look at rights anew.

    One that a transaction has found is its own until it ends: who else wants to change it waits, and finds it changed.
    """

    def find(self, name: str) -> Principal | None:
        """By the name that grants use; `anyone` is the one for everybody. Nobody's name holds a parenthesis."""
        ...

    def find_external(self, source: str, external_id: str) -> Principal | None: ...
    def name_of(self, principal: int) -> str: ...
    def add(
        self,
        kind: PrincipalKind,
        name: str,
        *,
        is_admin: bool = False,
        source: str = LOCAL,
        external_id: str | None = None,
        description: str = "",
        expires: datetime | None = None,
    ) -> Principal | None:
        """A new one; None when the name is taken."""
        ...

    def change(self, changed: Principal) -> Principal | None:
        """Keep what can be changed of it, as its next version; None when it is not as it was.

        That is its description, its end, whether it is disabled and whether it administers.
        """
        ...

    def remove(self, principal: Principal) -> None:
        """Nobody can be it any more: its credentials, grants and memberships end, its name is free, its events stay."""
        ...

    def page(self, kind: PrincipalKind, last: str, limit: int, words: str = "") -> Sequence[Principal]:
        """By their names, after `last`; those whose name or description holds `words`."""
        ...

    def members(self, group: int, last: tuple[str, str] = FIRST, limit: int = ALL) -> Sequence[tuple[str, str]]:
        """Names, and the source that says so, in their order, after `last`."""
        ...

    def groups_of(self, member: int) -> Sequence[str]: ...
    def memberships(self, member: int) -> Sequence[tuple[str, str]]:
        """The names of its groups, each with the source that says so."""
        ...

    def join(self, group: int, member: int, source: str = LOCAL) -> bool:
        """Whether that is new."""
        ...

    def leave(self, group: int, member: int, source: str = LOCAL) -> bool:
        """Whether it was in it, as far as this source says."""
        ...

    def replace_groups(self, member: int, source: str, groups: Sequence[int]) -> None:
        """From now on the member is, as far as this source says, in these groups and in no others."""
        ...

    def other_administrators(self, principal: int) -> bool:
        """Whether some other user may do everything, by itself and for good, and can sign in."""
        ...

    def expiring(self, before: datetime) -> Sequence[Principal]:
        """Robots that expire by then, and were not told of."""
        ...

    def warned(self, principal: int) -> None:
        """It was told of."""
        ...


class Grants(Protocol):
    """What was granted to whom. Every change makes all workers look at rights anew."""

    def concerning(self, principal: int) -> Rights:
        """All grants to the principal, its groups and everybody."""
        ...

    def put(self, principal: Principal, pattern: Pattern, actions: Sequence[str], by: Caller, *, denies: bool) -> str:
        """In place of what was granted (or denied) on this very pattern; the grant's UUID."""
        ...

    def find(self, uuid: str) -> GivenGrant | None: ...
    def on(self, principal: Principal, pattern: Pattern, *, denies: bool) -> GivenGrant | None:
        """What is granted (or denied) to this very principal on this very pattern."""
        ...

    def remove(self, uuid: str) -> bool: ...
    def page(self, last: str, limit: int, subject: Principal | None = None) -> Sequence[GivenGrant]:
        """After the one of UUID `last`, in no order of meaning; of one subject, if given."""
        ...

    def near(
        self, principal: int, spans: Sequence[Span], last: str, limit: int, subject: Principal | None = None
    ) -> Sequence[GivenGrant]:
        """The same of those that concern the principal, its groups or everybody, or whose patterns lie in a span."""
        ...


class Credentials(Protocol):
    """What proves who somebody is. Only those that are good by now are found, counted and listed."""

    def add(  # noqa: PLR0913  what is known of a credential
        self,
        owner: int,
        kind: CredentialKind,
        secret: str,
        *,
        label: str,
        hint: str,
        limits: str,
        expires: datetime | None,
        parent: int | None,
        made_from: str,
    ) -> Secret:
        """One more; `secret` is a hash."""
        ...

    def find(self, owner: int, uuid: str) -> Secret | None: ...
    def hold(self, credential: int) -> Secret | None:
        """The one of this id; until this transaction has ended, nobody takes it back."""
        ...

    def of(self, owner: int) -> Sequence[Secret]:
        """Newest first."""
        ...

    def count(self, owner: int, kind: CredentialKind) -> int: ...
    def revoke(self, credential: int) -> None:
        """Take it back, and whatever was given out for it."""
        ...

    def revoke_all(self, owner: int, kinds: Sequence[CredentialKind]) -> int:
        """Take back all of these kinds, and whatever was given out for them; how many there were."""
        ...

    def revoke_stalest(self, owner: int, kind: CredentialKind) -> None:
        """Take back the one that was used longest ago."""
        ...

    def set_password(self, owner: int, secret: str) -> Secret:
        """The one password, hashed, from now on; the former ends, and what was given out for it."""
        ...

    def external(self, owner: int) -> int | None:
        """The one that stands for a directory's password, whether its time is over or not."""
        ...

    def extend(self, credential: int, expires: datetime) -> None:
        """It is good until then."""
        ...

    def note_use(self, used: Sequence[tuple[int, datetime]]) -> None:
        """When each was used last, unless something later is known."""
        ...


class Throttles(Protocol):
    """How much was used lately of what may be used so often: an instant each, of which no more is kept once it is past.

    What that means, `core/throttle` says.
    """

    def of(self, names: Sequence[str]) -> Mapping[str, datetime]:
        """Those of at most three names that are not past."""
        ...

    def put_off(self, name: str, span: timedelta) -> None:
        """By so much, from now at the least; of two at once, neither is lost."""
        ...

    def forget(self, name: str) -> None: ...
    def has_past(self) -> bool:
        """Whether `forget_past` has anything to do."""
        ...

    def forget_past(self, limit: int) -> int:
        """Take away what is past; how many there were."""
        ...
