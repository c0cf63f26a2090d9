"""The names of users, groups and robots: each says what it names, and all share one name space.

alice      a user: letters, digits, and single . _ - between them, at most 64
@devs      a group
team+ci    a robot of the project `team`
anyone     everybody, with an account and without
"""

from __future__ import annotations

import re
from typing import Final

from registry.core.access import ANYONE
from registry.core.facts import PrincipalKind
from registry.core.refusals import Unfit

LONGEST: Final = 64
_WORD: Final = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"
_USER: Final = re.compile(_WORD)
_PROJECT: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_RESERVED: Final = frozenset({ANYONE, "anonymous", "open", "local"})


def user_name(text: str) -> str:
    """The name, if a user can have it. Raises: Unfit."""
    if len(text) > LONGEST or not _USER.fullmatch(text):
        raise Unfit(
            name=text[: 2 * LONGEST],
            reason=f"a name has lower-case letters, digits, and single . _ - between them, at most {LONGEST} together",
        )
    if text in _RESERVED:
        raise Unfit(name=text, reason="the name is reserved")
    return text


def group_name(text: str) -> str:
    """The name with its `@`, which may be left out. Raises: Unfit."""
    return f"@{user_name(text.removeprefix('@'))}"


def robot_name(project: str, text: str) -> str:
    """The name under which a robot of the project signs in. Raises: Unfit."""
    if len(project) > LONGEST or not _PROJECT.fullmatch(project):
        raise Unfit(name=project[: 2 * LONGEST], reason="not a project: the first component of a repository's name")
    return f"{project}+{user_name(text)}"


def kind_of(name: str) -> PrincipalKind:
    """What is named so."""
    if name == ANYONE:
        return PrincipalKind.ANONYMOUS
    if name.startswith("@"):
        return PrincipalKind.GROUP
    return PrincipalKind.ROBOT if "+" in name else PrincipalKind.USER


def project_of(robot: str) -> str:
    """The project that a robot's name begins with."""
    return robot.partition("+")[0]
