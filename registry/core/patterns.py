"""Patterns over repository names, as grants and rules write them: by component, and literal but for two wildcards.

    team/app       that repository
    team/app-*     `*` is any run of characters within one component, none included
    team/**        everything below `team`, at any depth; only at the end
    **             every repository

A name is matched as it is written: `alpine` is not `library/alpine` (design 4).

Whoever writes patterns must not be able to make matching slow, nor whoever chooses names. So no expression has two ways
to match one name: between two stars it takes the first place that fits, and no other; a star before the end of a
component takes what is left. What a pattern costs grows with its length times the name's, however many stars it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from registry.oci.names import LONGEST_NAME, RepositoryName

_DEEP: Final = "**"
_COMPONENT: Final = re.compile(r"[a-z0-9._*-]+")
# A run of stars but two would be slow to match and says no more than one does.
_STARS: Final = re.compile(r"\*{2,}")
_WITHIN: Final = "[^/]*"
# The character after the slash: every name that begins with `team/` sorts before `team0`.
_AFTER_SLASH: Final = "0"
_LAST: Final = "\x7f"
_NEXT: Final = "\x01"


class PatternInvalid(ValueError):
    """Not a pattern; the message says why."""


@dataclass(frozen=True)
class Span:
    """Names from `first` on, by their bytes, and before `end`."""

    first: str
    end: str

    def holds(self, name: str) -> bool:
        """Whether the name lies in it."""
        return self.first <= name < self.end


@dataclass(frozen=True, order=True)
class Pattern:
    """To hold one is to know that it is well formed."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises: PatternInvalid."""
        if not 0 < len(text) <= LONGEST_NAME:
            raise PatternInvalid(f"a pattern has 1 to {LONGEST_NAME} characters")
        *parents, last = text.split("/")
        for component in (*parents, *([] if last == _DEEP else [last])):
            if component == _DEEP:
                raise PatternInvalid(f"`**` stands only at the end of a pattern: {text}")
            if _STARS.search(component) or not _COMPONENT.fullmatch(component):
                raise PatternInvalid(f"not a pattern of repository names: {text}")
        return cls(text)

    @property
    def is_literal(self) -> bool:
        """Whether it is one repository's name."""
        return "*" not in self.text

    @cached_property
    def regex(self) -> str:
        """The same as a regular expression for a whole name, in words that Python and PostgreSQL share."""
        *parents, last = self.text.split("/")
        parts = [component_regex(each) for each in parents] + [".+" if last == _DEEP else component_regex(last)]
        return "/".join(parts)

    @property
    def fills_its_span(self) -> bool:
        """Whether it matches every name that lies in its span."""
        return "*" not in self.text.removesuffix(f"/{_DEEP}") or self.text == _DEEP

    @cached_property
    def span(self) -> Span:
        """Where its names lie in the order of names; others may lie there too."""
        if self.is_literal:
            return Span(self.text, self.text + _NEXT)
        fixed = self.text.partition("*")[0]
        if fixed.endswith("/"):
            return Span(fixed, fixed[:-1] + _AFTER_SLASH)
        return Span(fixed, fixed + _LAST)

    def matches(self, name: RepositoryName) -> bool:
        """Whether it means this repository."""
        return self._compiled.fullmatch(name.text) is not None

    def covers(self, other: Pattern) -> bool:
        """Whether whatever `other` matches is matched by this one too; a few that do so by chance are not seen."""
        return _covers(self.text.split("/"), other.text.split("/"))

    def meets(self, other: Pattern) -> bool:
        """Whether some repository may be matched by both; in doubt, yes."""
        ours, theirs = self.span, other.span
        return ours.first < theirs.end and theirs.first < ours.end

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.regex)

    def __str__(self) -> str:
        return self.text


EVERYTHING: Final = Pattern(_DEEP)


def any_of(patterns: Iterable[Pattern]) -> str:
    """One regular expression for names that any of them matches."""
    return "|".join(f"(?:{regex})" for regex in sorted({each.regex for each in patterns}))


def component_regex(component: str) -> str:
    """What one component matches, literal but for its stars."""
    first, *rest = map(re.escape, component.split("*"))
    if not rest:
        return first
    *between, last = rest
    return first + "".join(f"(?:(?!{each})[^/])*{each}" for each in between) + _WITHIN + last


def _covers(outer: Sequence[str], inner: Sequence[str]) -> bool:
    if outer[-1] != _DEEP:
        return len(outer) == len(inner) and all(map(_component_covers, outer, inner))
    # Below it something must be left: `team/**` says nothing of `team`.
    fixed = outer[:-1]
    return len(inner) > len(fixed) and all(map(_component_covers, fixed, inner))


def _component_covers(outer: str, inner: str) -> bool:
    """Taking the inner one's stars for characters: right where it says yes, as a star of the outer one takes all."""
    if inner == _DEEP:
        return False
    return re.fullmatch(component_regex(outer), inner) is not None
