"""Immutable tags: such a tag is set once, and then neither moved nor deleted; the same manifest may be pushed again.

Asked in the very transaction that would change a tag, after the tag is held. What the rules say is kept in memory for
as long as their generation stands, which that transaction reads (design 7): so a rule holds with the next push, and
who sets a new tag, or changes none, pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from registry.core.ports import Transaction
from registry.core.tag_rules import RuleKind, TagRule
from registry.oci.errors import TagImmutable
from registry.oci.names import RepositoryName, Tag


@dataclass(slots=True)
class Protection:
    """One process's."""

    _held: tuple[int, Sequence[TagRule]] | None = field(default=None, init=False)

    def demand(self, tx: Transaction, repository: RepositoryName, tag: Tag) -> None:
        """That the tag may come to point elsewhere, or nowhere. Raises: TagImmutable."""
        self.demand_all(tx, repository, [tag])

    def demand_all(self, tx: Transaction, repository: RepositoryName, tags: Iterable[Tag]) -> None:
        """The same of each; they are not even looked for where no rule is about them. Raises: TagImmutable."""
        rules = self.about(tx, repository)
        for tag in tags if rules else ():
            rule = next((rule for rule in rules if rule.looks_at(tag)), None)
            if rule is not None:
                raise TagImmutable(reference=str(tag), rule=str(rule))

    def about(self, tx: Transaction, repository: RepositoryName) -> Sequence[TagRule]:
        """All rules of immutable tags that mean this repository."""
        generation = tx.tag_rules.generation()
        held = self._held
        if held is None or held[0] != generation:
            # Read after the generation: they may be newer than it says, and are then read once more; never older.
            held = self._held = generation, tx.tag_rules.enabled(RuleKind.IMMUTABLE)
        return [rule for rule in held[1] if rule.is_about(repository)]
