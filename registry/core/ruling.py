"""Rules over tags: made, changed, taken back. Who may is decided before (`core/administration`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from registry.core.administration import may_administer
from registry.core.facts import Action, Caller
from registry.core.patterns import Pattern, PatternInvalid
from registry.core.ports import Metadata, Transaction
from registry.core.refusals import Changed, TagRuleUnknown, TooManyRules, Unfit
from registry.core.tag_patterns import TagPatterns
from registry.core.tag_rules import GivenRule, RuleKind, TagRule
from registry.oci.names import RepositoryName, Tag

MOST_OF_A_PROJECT: Final = 100
"""Rules of a kind that are in force for repositories of one project, or for patterns over all of them."""
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class RuleService:
    """Those of one kind. Each change is seen by whatever transaction comes after it."""

    metadata: Metadata
    kind: RuleKind

    def put(self, wanted: TagRule, by: Caller, *, version: int | None = None) -> GivenRule:
        """What is said of these tags, in place of what was said of them before.

        `version` is that of the rule to be replaced, 0 for none. Raises: Changed, Unfit, TooManyRules.
        """
        fit_rule(wanted)

        def keep(tx: Transaction) -> GivenRule:
            tx.tag_rules.hold_all()
            former = tx.tag_rules.on(self.kind, wanted.repositories, wanted.tags)
            if version is not None and version != (former.version if former else 0):
                raise Changed(rule=str(former.rule if former else wanted))
            if former is not None and former.rule == wanted.named(former.uuid):
                return former
            self._demand_room(tx, wanted)
            given = tx.tag_rules.put(wanted.named(former.uuid if former else ""), by)
            tx.journal.note(Action.PUT_RULE, by, target=self.kind, detail=str(given.rule))
            return given

        return self.metadata.transact(keep)

    def get(self, uuid: str) -> GivenRule:
        """Raises: TagRuleUnknown."""
        return self.metadata.observe(lambda tx: self._given(tx, uuid))

    def find(self, repositories: Pattern, tags: TagPatterns) -> GivenRule | None:
        """By what it is about."""
        return self.metadata.observe(lambda tx: tx.tag_rules.on(self.kind, repositories, tags))

    def deciding(self, repository: RepositoryName, tag: Tag) -> TagRule | None:
        """The first rule in force that looks at this tag."""
        rules = self.metadata.observe(lambda tx: tx.tag_rules.enabled(self.kind))
        return next((rule for rule in rules if rule.is_about(repository) and rule.looks_at(tag)), None)

    def page(self, last: str, limit: int) -> Sequence[GivenRule]:
        """After the one of UUID `last`."""
        return self.metadata.observe(lambda tx: tx.tag_rules.page(self.kind, last, limit))

    def page_for(self, caller: Caller, last: str, limit: int) -> Sequence[GivenRule]:
        """As `page`, of those that are the caller's to make."""
        seen: list[GivenRule] = []
        while len(seen) < limit:
            page = self.page(last, _BATCH)
            seen += [each for each in page if may_administer(caller, each.rule.repositories)]
            if len(page) < _BATCH:
                break
            last = page[-1].uuid
        return seen[:limit]

    def remove(self, uuid: str, by: Caller, *, version: int | None = None) -> GivenRule:
        """What it was. Raises: TagRuleUnknown, Changed."""

        def take_back(tx: Transaction) -> GivenRule:
            tx.tag_rules.hold_all()
            given = self._given(tx, uuid)
            if version is not None and version != given.version:
                raise Changed(rule=str(given.rule))
            tx.tag_rules.remove(uuid)
            tx.journal.note(Action.REMOVE_RULE, by, target=self.kind, detail=str(given.rule))
            return given

        return self.metadata.transact(take_back)

    def _demand_room(self, tx: Transaction, wanted: TagRule) -> None:
        """All that are in force are looked at whenever a tag moves. Raises: TooManyRules."""
        if wanted.is_enabled:
            places = ((rule.repositories, rule.tags) for rule in tx.tag_rules.enabled(self.kind))
            others = [where for where, tags in places if (where, tags) != (wanted.repositories, wanted.tags)]
            if sum(_project(each) == _project(wanted.repositories) for each in others) >= MOST_OF_A_PROJECT:
                raise TooManyRules(limit=MOST_OF_A_PROJECT)

    def _given(self, tx: Transaction, uuid: str) -> GivenRule:
        given = tx.tag_rules.find(self.kind, uuid)
        if given is None:
            raise TagRuleUnknown(uuid=uuid[:100])
        return given


def _project(pattern: Pattern) -> str:
    """What is written as the first component of its names."""
    return pattern.text.partition("/")[0]


def fit_tags(text: str) -> TagPatterns:
    """Raises: Unfit."""
    try:
        return TagPatterns.parse(text)
    except PatternInvalid as error:
        raise Unfit(reason=str(error)) from None


def fit_rule(wanted: TagRule) -> TagRule:
    """One that says something. Raises: Unfit."""
    if not wanted.tags:
        raise Unfit(tags="", reason="a pattern of tags is needed, such as *")
    if wanted.kind is RuleKind.RETENTION and not (wanted.keeps.speaks_of_tags or wanted.keeps.untagged_after):
        raise Unfit(rule=str(wanted), reason="such a rule keeps some of its tags, or ends manifests without any")
    return wanted
