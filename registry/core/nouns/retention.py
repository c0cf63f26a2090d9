"""What a transaction can be asked and told of how tags come and go: rules over them, what those look at, and pulls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from registry.core.facts import Caller, Repository
from registry.core.patterns import Pattern
from registry.core.tag_facts import Pull, StandingTag, UntaggedManifest
from registry.core.tag_patterns import TagPatterns
from registry.core.tag_rules import GivenRule, RuleKind, TagRule
from registry.oci.digest import Digest
from registry.oci.names import Tag


class TagRules(Protocol):
    """Rules, of each kind. Of those who want to change any, one does at a time, and the others see what it did."""

    def generation(self) -> int:
        """Another number after every change."""
        ...

    def hold_all(self) -> None:
        """To be asked first by who changes one; whoever keeps them in memory will look at them anew."""
        ...

    def enabled(self, kind: RuleKind) -> Sequence[TagRule]:
        """All that are in force, the oldest first."""
        ...

    def find(self, kind: RuleKind, uuid: str) -> GivenRule | None: ...
    def on(self, kind: RuleKind, repositories: Pattern, tags: TagPatterns) -> GivenRule | None:
        """The one about these very repositories and tags."""
        ...

    def put(self, rule: TagRule, by: Caller) -> GivenRule:
        """The next version of the one with its UUID; a new one where it has none."""
        ...

    def remove(self, uuid: str) -> None: ...
    def page(self, kind: RuleKind, last: str, limit: int) -> Sequence[GivenRule]:
        """After the one of UUID `last`, in no order of meaning."""
        ...


class Standings(Protocol):
    """Tags and manifests of a repository, as rules of retention look at them."""

    def tags(self, repository: Repository, last: str, limit: int) -> Sequence[StandingTag]:
        """In the order of their names, after `last`."""
        ...

    def hold(self, repository: Repository, tag: Tag) -> StandingTag | None:
        """The tag as it stands by now, held so that nobody moves it."""
        ...

    def is_tagged(self, repository: Repository, digest: Digest) -> bool:
        """Whether any tag points to the manifest."""
        ...

    def untagged(self, repository: Repository, last: Digest | None, limit: int) -> Sequence[UntaggedManifest]:
        """Visible ones that nothing leads to, deleted but restorable things included; by digest, after `last`."""
        ...

    def is_untagged(self, repository: Repository, manifest: UntaggedManifest) -> bool:
        """Whether it is one of these still, of no use since then."""
        ...

    def gone(self, repository: Repository, digests: Sequence[Digest]) -> Sequence[Digest]:
        """Those that tags pointed to once, and that cannot be restored."""
        ...


class Pulls(Protocol):
    """Which manifests are pulled, when and how often."""

    def note(self, pulls: Sequence[Pull]) -> None:
        """So many more, the last one then, unless a later one is known; each with the manifest that is there now."""
        ...

    def of(self, repository: Repository, digest: Digest) -> tuple[int, datetime | None]:
        """How often, and when last."""
        ...
