"""Patterns over tags, as rules write them: literal but for `*`, any run of characters; several, with spaces between.

    latest           that tag
    v1.* release-*   every tag that one of them matches
    *                every tag

They are matched by the same kind of expression as the patterns of repositories, and cost as little (`core/patterns`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from registry.core.patterns import PatternInvalid, component_regex
from registry.oci.names import Tag

LONGEST: Final = 500
_PATTERN: Final = re.compile(r"(?!.*\*\*)[A-Za-z0-9_.*-]+")


@dataclass(frozen=True, order=True)
class TagPatterns:
    """To hold one is to know that it is well formed; the same patterns are the same text."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """In their order, each once. Raises: PatternInvalid."""
        if len(text) > LONGEST:
            raise PatternInvalid(f"patterns of tags have {LONGEST} characters at the most")
        words = sorted(set(text.split()))
        for each in words:
            if not _PATTERN.fullmatch(each):
                raise PatternInvalid(f"not a pattern of tags: {each}")
        return cls(" ".join(words))

    def match(self, tag: Tag) -> bool:
        """Whether one of them means this tag; where there is none, no."""
        return self._compiled.fullmatch(tag.text) is not None

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        # Without any, what matches nothing.
        return re.compile("|".join(f"(?:{component_regex(each)})" for each in self.text.split()) or r"(?!)")

    def __bool__(self) -> bool:
        return bool(self.text)

    def __str__(self) -> str:
        return self.text


NO_TAGS: Final = TagPatterns("")
ALL_TAGS: Final = TagPatterns("*")
