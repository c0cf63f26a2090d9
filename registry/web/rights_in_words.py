"""What somebody may do, as a person reads it: a line for each grant, and for what a token is limited to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from registry.core.access import ANYONE
from registry.core.patterns import EVERYTHING, Pattern
from registry.core.rights import Grant, parse_limits

_VERBS: Final = {
    "pull": "pull",
    "create": "push new tags",
    "push": "push",
    "move": "move tags",
    "delete": "delete",
    "admin": "manage grants and robots",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One grant: what, where, and by whom it comes to who reads it. `pattern` None stands for every repository."""

    verbs: str
    pattern: str | None
    source: str
    denies: bool


def lines_of(grants: Iterable[Grant], name: str) -> Sequence[Line]:
    """Of all grants that concern `name`; denials last, for they win."""
    lines = [
        Line(verbs(each.actions), _pattern(each.pattern), _source(each.subject, name), each.denies) for each in grants
    ]
    return sorted(lines, key=lambda line: (line.denies, line.pattern or "", line.source))


def verbs(actions: Sequence[str]) -> str:
    """Such as `pull, push and delete`."""
    # To push is to create and to move: said once.
    said = [_VERBS[each] for each in actions if each not in {"create", "move"} or "push" not in actions]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def limits_in_words(limits: str) -> str:
    """What a credential is good for, of what its owner may do."""
    rights = parse_limits(limits)
    if rights is None:
        return "for everything that you may do"
    lines = (f"{verbs(each.actions)} in {_pattern(each.pattern) or 'every repository'}" for each in rights.grants)
    return f"to {'; '.join(lines)}"


def _pattern(pattern: Pattern) -> str | None:
    return None if pattern == EVERYTHING else str(pattern)


def _source(subject: str, name: str) -> str:
    if subject == name:
        return "you"
    return "everybody" if subject == ANYONE else subject
