"""Rules over tags: which of them stay where they are, and which are kept for how long.

A rule names repositories by a pattern and tags by others, without those that are excepted. It is known by what it is
about: of one kind there is at most one rule about the same repositories and tags.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from registry.core.companions import is_companion
from registry.core.keeps import NOTHING, Keeps
from registry.core.patterns import Pattern
from registry.core.tag_patterns import ALL_TAGS, NO_TAGS, TagPatterns
from registry.core.versions import Version
from registry.oci.names import RepositoryName, Tag


class RuleKind(StrEnum):
    """What a rule decides."""

    # Tags that may be neither moved nor deleted.
    IMMUTABLE = "immutable"
    # Tags that are kept; others that it looks at go.
    RETENTION = "retention"


@dataclass(frozen=True, slots=True)
class TagRule:
    """One rule; `keeps` is said by rules of retention alone."""

    kind: RuleKind
    repositories: Pattern
    tags: TagPatterns = ALL_TAGS
    exceptions: TagPatterns = NO_TAGS
    keeps: Keeps = NOTHING
    is_enabled: bool = True
    uuid: str = ""

    def is_about(self, repository: RepositoryName) -> bool:
        """Whether it means this repository."""
        return self.repositories.matches(repository)

    def looks_at(self, tag: Tag) -> bool:
        """Whether it says something of this tag, in a repository that it is about.

        A rule that keeps minor versions says nothing of tags that are none, such as `latest`.
        """
        if self.keeps.minors and Version.find(tag) is None:
            return False
        speaks = self.kind is RuleKind.IMMUTABLE or self.keeps.speaks_of_tags
        return speaks and self.tags.match(tag) and not self.exceptions.match(tag) and not is_companion(tag)

    def named(self, uuid: str) -> Self:
        """The same under this UUID."""
        return replace(self, uuid=uuid)

    def __str__(self) -> str:
        where = f"{self.tags} of {self.repositories}" + (f" but {self.exceptions}" if self.exceptions else "")
        if self.kind is RuleKind.IMMUTABLE:
            return f"{where} cannot change"
        return f"of {where} keep {self.keeps}"


@dataclass(frozen=True, slots=True)
class GivenRule:
    """A rule as it stands, and by whom it was made; `version` grows with each change."""

    rule: TagRule
    created: datetime
    by: str
    version: int

    @property
    def uuid(self) -> str:
        """The rule's."""
        return self.rule.uuid
