"""Who somebody is by the word of a source, in names that can be used here."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from registry.auth.sign_in.refusals import SignInRefused
from registry.core.facts import ExternalIdentity

LONGEST_NAME: Final = 64
LONGEST_SUBJECT: Final = 1024
MOST_GROUPS: Final = 4096

_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_NO_WORD: Final = re.compile(r"[^a-z0-9._]+")
# The name of everybody, which nobody has.
_RESERVED: Final = frozenset({"anyone"})


@dataclass(frozen=True, slots=True)
class Membership:
    """What the groups of a source mean here: in any of `required` to be let in, in any of `admin` to administer.

    Both are compared as the source writes them: two groups that it tells apart are never taken for one.
    """

    required: frozenset[str] = frozenset()
    admin: frozenset[str] = frozenset()


def identity(source: str, subject: str, name: str, groups: Collection[str], membership: Membership) -> ExternalIdentity:
    """The identity of somebody who has proved to be it; `groups` as the source writes them. Raises: SignInRefused."""
    if not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise SignInRefused(f"{source}: a subject of {len(subject)} characters cannot be kept")
    if len(groups) > MOST_GROUPS:
        raise SignInRefused(f"{source}: {len(groups)} groups are more than {MOST_GROUPS}")
    if membership.required.isdisjoint(groups) and membership.required:
        raise SignInRefused(
            f"{source}: {subject[:200]!a} is in none of the required groups",
            "Your account is in none of the groups that may use this registry.",
        )
    usable = frozenset(f"@{each}" for each in map(group_name, groups) if each)
    return ExternalIdentity(source, subject, user_name(name), usable, not membership.admin.isdisjoint(groups))


def user_name(written: str) -> str:
    """The name in lower case, if it is one of ours; nothing else is changed. Raises: SignInRefused.

    An address is not cut at its `@`: `alice@example.org` and `alice@example.com` are not the same person.
    """
    # Before it is lowered: the sign for kelvin becomes a k.
    name = written.lower() if written.isascii() else ""
    if _NAME.fullmatch(name) and len(name) <= LONGEST_NAME and name not in _RESERVED:
        return name
    hint = "; another claim or attribute can be made the name" if "@" in written else ""
    raise SignInRefused(
        f"{written[:200]!a} cannot be the name of a user{hint}",
        "Your account has a name that no user of this registry can have.",
    )


def group_name(written: str) -> str | None:
    """The name of a group, without its `@`; what stands between words becomes a hyphen: `/Team A/devs`, `team-a-devs`.

    None where no name is left: such a group can be required, and cannot be granted anything.
    """
    if not written.isascii():
        return None
    name = _NO_WORD.sub("-", written.lower()).strip("-._")
    return name if _NAME.fullmatch(name) and len(name) <= LONGEST_NAME else None
