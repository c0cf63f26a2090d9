"""What retention would do to one repository, by the rules that stand or by others: facts read, nothing changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from registry.core.companions import subject_of
from registry.core.facts import Repository
from registry.core.ports import Metadata, Transaction
from registry.core.protection import Protection
from registry.core.pulling import counted_since
from registry.core.rest import batched
from registry.core.retention import Case, Decision, Ending, decide, ending
from registry.core.tag_facts import StandingTag, UntaggedManifest
from registry.core.tag_rules import RuleKind, TagRule
from registry.oci.digest import Digest
from registry.oci.errors import NameUnknown
from registry.oci.names import RepositoryName

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What becomes of each tag, by name; which manifests without any go; under which generation of the rules."""

    repository: Repository
    generation: int
    decisions: Sequence[Decision]
    endings: Sequence[Ending]


@dataclass(frozen=True, slots=True)
class RetentionPlanner:
    """Reads page by page, each as of its own instant: whoever acts on a plan looks at everything again."""

    metadata: Metadata
    protection: Protection = field(default_factory=Protection)

    def plan(self, name: RepositoryName, rules: Sequence[TagRule] | None = None) -> RetentionPlan:
        """By the rules in force, or by these. Raises: NameUnknown."""
        repository, generation, case = self.metadata.observe(lambda tx: self._case(tx, name, rules))
        if not case.rules:
            return RetentionPlan(repository, generation, [], [])
        tags = list(self._tags(repository))
        decisions = decide(tags, replace(case, gone=self._gone(repository, tags)))
        is_asked = any(rule.keeps.untagged_after for rule in case.rules)
        return RetentionPlan(
            repository, generation, decisions, ending(self._untagged(repository) if is_asked else [], case)
        )

    def _case(
        self, tx: Transaction, name: RepositoryName, given: Sequence[TagRule] | None
    ) -> tuple[Repository, int, Case]:
        repository = tx.repositories.find(name)
        if repository is None:
            raise NameUnknown(name=str(name))
        # Before the rules: they may be newer than it says, and the plan is then not carried out.
        generation = tx.tag_rules.generation()
        rules = tx.tag_rules.enabled(RuleKind.RETENTION) if given is None else given
        about = [rule for rule in rules if rule.is_about(name)]
        return repository, generation, Case(self.protection.about(tx, name), about, tx.now, counted_since(tx))

    def _tags(self, repository: Repository) -> Iterator[StandingTag]:
        last = ""
        while page := self._page_of_tags(repository, last):
            yield from page
            last = page[-1].tag.text

    def _page_of_tags(self, repository: Repository, last: str) -> Sequence[StandingTag]:
        return self.metadata.observe(lambda tx: tx.standings.tags(repository, last, _PAGE))

    def _untagged(self, repository: Repository) -> Iterator[UntaggedManifest]:
        last: Digest | None = None
        while page := self._page_of_untagged(repository, last):
            yield from page
            last = page[-1].digest

    def _page_of_untagged(self, repository: Repository, last: Digest | None) -> Sequence[UntaggedManifest]:
        return self.metadata.observe(lambda tx: tx.standings.untagged(repository, last, _PAGE))

    def _gone(self, repository: Repository, tags: Sequence[StandingTag]) -> frozenset[Digest]:
        """Of the manifests that tags are named after, those that nothing brings back."""
        subjects = list({subject for each in tags if (subject := subject_of(each.tag))})
        lots = (self._gone_of(repository, lot) for lot in batched(subjects, _PAGE))
        return frozenset(chain.from_iterable(lots))

    def _gone_of(self, repository: Repository, subjects: Sequence[Digest]) -> Sequence[Digest]:
        return self.metadata.observe(lambda tx: tx.standings.gone(repository, subjects))
