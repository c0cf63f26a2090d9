"""What grants add up to: for one principal, its groups and everybody, on each repository.

    allowed by some grant  ─  denied by some grant  =  held          a denial wins, whoever was given it

Grants are written in words (`pull`, `push`, …) that stand for rights; presets are words for several words. `push` is to
push and to move tags; who has only `create` may add tags, and move none that is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Final

from registry.core.patterns import Pattern
from registry.core.visible import Visible
from registry.oci.names import RepositoryName

_REMEMBERED: Final = 1024


class Right(StrEnum):
    """What a request needs. The first three are actions of the token specification, and routes name them."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    # Have a tag that is there point elsewhere.
    MOVE = "move"
    # Manage grants, robots and rules of the repositories.
    ADMIN = "admin"
    # `registry:catalog:*`: listing what there is, of which each caller sees what it may pull.
    CATALOG = "*"


WORDS: Final[Mapping[str, frozenset[Right]]] = {
    "pull": frozenset({Right.PULL}),
    "create": frozenset({Right.PUSH}),
    "push": frozenset({Right.PUSH, Right.MOVE}),
    "move": frozenset({Right.MOVE}),
    "delete": frozenset({Right.DELETE}),
    "admin": frozenset({Right.ADMIN}),
}
"""The words that grants are written in."""

PRESETS: Final[Mapping[str, tuple[str, ...]]] = {
    "reader": ("pull",),
    "creator": ("pull", "create"),
    "writer": ("pull", "push"),
    "maintainer": ("pull", "push", "delete"),
    "owner": ("pull", "push", "delete", "admin"),
}
"""The words that stand for several."""


class ActionsInvalid(ValueError):
    """Words that no grant is written in; the message names them."""


def parse_actions(words: Iterable[str]) -> tuple[str, ...]:
    """Words in the order of the table, presets spelt out. Raises: ActionsInvalid."""
    wanted = {each for word in words for each in PRESETS.get(word, (word,))}
    if unknown := sorted(wanted - WORDS.keys()):
        known = ", ".join((*WORDS, *PRESETS))
        raise ActionsInvalid(f"no such action: {', '.join(unknown)}; there are {known}")
    if not wanted:
        raise ActionsInvalid(f"no action given; there are {', '.join((*WORDS, *PRESETS))}")
    return tuple(each for each in WORDS if each in wanted)


@dataclass(frozen=True, slots=True)
class Grant:
    """One row: what `subject` (its name) may do to the repositories of a pattern, or may not."""

    subject: str
    pattern: Pattern
    actions: tuple[str, ...]
    denies: bool = False
    uuid: str = ""

    def speaks_of(self, right: Right) -> bool:
        """Whether the right is among its words."""
        return any(right in WORDS[each] for each in self.actions)

    def __str__(self) -> str:
        verb = "denies" if self.denies else "grants"
        return f"{verb} {self.subject} {','.join(self.actions)} on {self.pattern}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a right is held, and the grant that decides; None where nothing grants it, or no grant is asked."""

    holds: bool
    because: Grant | None


@dataclass(frozen=True)
class Rights:
    """All grants that concern one principal, compiled; to be kept for as long as no grant changes.

    `is_admin`: one of its groups may do everything.
    """

    grants: tuple[Grant, ...] = ()
    is_admin: bool = False
    _decided: Callable[[Right, RepositoryName], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Clients ask for the same few again and again.
        object.__setattr__(
            self, "_decided", lru_cache(_REMEMBERED)(lambda right, name: self.verdict(right, name).holds)
        )

    def hold(self, right: Right, repository: RepositoryName) -> bool:
        """Whether the right is held on this repository."""
        return self._decided(right, repository)

    def verdict(self, right: Right, repository: RepositoryName) -> Verdict:
        """The same, and why: the denial that wins, else the first grant that says yes."""
        spoken = [each for each in self.grants if each.speaks_of(right) and each.pattern.matches(repository)]
        denial = next((each for each in spoken if each.denies), None)
        because = denial or next(iter(spoken), None)
        return Verdict(because is not None and not because.denies, because)

    def hold_throughout(self, right: Right, pattern: Pattern) -> bool:
        """Whether the right is held on whatever a pattern matches."""
        spoken = [each for each in self.grants if each.speaks_of(right)]
        return any(each.pattern.covers(pattern) for each in spoken if not each.denies) and not any(
            each.pattern.meets(pattern) for each in spoken if each.denies
        )

    def hold_anywhere(self, right: Right) -> bool:
        """Whether some grant gives the right on some repository."""
        return any(each.speaks_of(right) and not each.denies for each in self.grants)

    @cached_property
    def administered(self) -> Visible:
        """Where patterns lie that `admin` may be held throughout; denials are not looked at."""
        spoken = (each for each in self.grants if each.speaks_of(Right.ADMIN) and not each.denies)
        return Visible.of(each.pattern for each in spoken)

    @cached_property
    def visible(self) -> Visible:
        """What may be pulled, for a query."""
        spoken = [each for each in self.grants if each.speaks_of(Right.PULL)]
        return Visible.of(
            (each.pattern for each in spoken if not each.denies), (each.pattern for each in spoken if each.denies)
        )


NONE: Final = Rights()


@lru_cache(_REMEMBERED)
def parse_limits(text: str) -> Rights | None:
    """What a credential may be used for at the most; None for no limits. Raises: ActionsInvalid, PatternInvalid.

    A line for each: words after commas, a space, a pattern.
    """
    if not text:
        return None
    lines = (line.partition(" ") for line in text.split("\n"))
    return Rights(
        tuple(Grant("", Pattern.parse(pattern), parse_actions(words.split(","))) for words, _, pattern in lines)
    )


def limits_text(limits: Iterable[Grant]) -> str:
    """The same as text, sorted."""
    return "\n".join(sorted(f"{','.join(each.actions)} {each.pattern}" for each in limits))
