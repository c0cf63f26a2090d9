"""What every database promises of rules over tags (registry/core/nouns/retention.py, `TagRules`), and the service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from registry.core import ruling
from registry.core.keeps import Keeps
from registry.core.patterns import Pattern
from registry.core.ports import Metadata
from registry.core.refusals import Changed, TagRuleUnknown, TooManyRules, Unfit
from registry.core.rights import Grant, Rights
from registry.core.ruling import RuleService, fit_tags
from registry.core.tag_patterns import ALL_TAGS, NO_TAGS, TagPatterns
from registry.core.tag_rules import GivenRule, RuleKind, TagRule
from tests.contracts.people import People

TEAM, RELEASES = Pattern("team/**"), TagPatterns("v*")
KEPT = Keeps(last=3, pushed_within=timedelta(days=2))


@pytest.fixture
def retention(people: People) -> RuleService:
    return RuleService(people.metadata, RuleKind.RETENTION)


@pytest.fixture
def immutable(people: People) -> RuleService:
    return RuleService(people.metadata, RuleKind.IMMUTABLE)


def keeping(tags: TagPatterns = RELEASES, kept: Keeps = KEPT, repositories: Pattern = TEAM) -> TagRule:
    return TagRule(RuleKind.RETENTION, repositories, tags, keeps=kept)


def test_a_rule_is_found_as_it_was_made(people: People, retention: RuleService) -> None:
    wanted = TagRule(RuleKind.RETENTION, TEAM, RELEASES, TagPatterns("v0.* v1"), KEPT, is_enabled=False)
    given = retention.put(wanted, people.admin)
    assert (given.rule.named(""), given.by, given.version) == (wanted, "admin", 1)
    assert retention.get(given.uuid) == retention.find(TEAM, RELEASES) == given
    assert retention.find(TEAM, ALL_TAGS) is retention.find(Pattern("team/*"), RELEASES) is None


def test_a_rule_about_the_same_takes_the_place_of_the_former(people: People, retention: RuleService) -> None:
    first = retention.put(keeping(), people.admin)
    assert retention.put(keeping(), people.admin) == first
    second = retention.put(keeping(kept=Keeps(last=4)), people.admin)
    assert (second.uuid, second.version) == (first.uuid, 2)
    assert retention.page("", 9) == [second]


def test_kinds_are_kept_apart(people: People, retention: RuleService, immutable: RuleService) -> None:
    kept = retention.put(keeping(), people.admin)
    still = immutable.put(TagRule(RuleKind.IMMUTABLE, TEAM, RELEASES), people.admin)
    assert (retention.page("", 9), immutable.page("", 9)) == ([kept], [still])
    for service, other in ((retention, still), (immutable, kept)):
        with pytest.raises(TagRuleUnknown):
            service.get(other.uuid)
        with pytest.raises(TagRuleUnknown):
            service.remove(other.uuid, people.admin)


def test_only_the_version_that_was_seen_is_replaced(people: People, retention: RuleService) -> None:
    with pytest.raises(Changed):
        retention.put(keeping(), people.admin, version=1)
    first = retention.put(keeping(), people.admin, version=0)
    retention.put(keeping(kept=Keeps(last=4)), people.admin, version=1)
    with pytest.raises(Changed):
        retention.put(keeping(kept=Keeps(last=5)), people.admin, version=1)
    with pytest.raises(Changed):
        retention.remove(first.uuid, people.admin, version=1)
    retention.remove(first.uuid, people.admin, version=2)
    assert retention.find(TEAM, RELEASES) is None


def test_of_many_who_make_the_same_rule_at_once_one_does(people: People, retention: RuleService) -> None:
    def put(last: int) -> GivenRule | None:
        try:
            return retention.put(keeping(kept=Keeps(last=last)), people.admin, version=0)
        except Changed:
            return None

    with ThreadPoolExecutor(4) as pool:
        made = [each for each in pool.map(put, range(1, 9)) if each is not None]
    assert retention.page("", 9) == made
    assert len(made) == 1


def test_every_change_makes_another_generation(people: People, retention: RuleService) -> None:
    seen = [generation(people.metadata)]
    given = retention.put(keeping(), people.admin)
    seen.append(generation(people.metadata))
    retention.put(keeping(kept=Keeps(last=4)), people.admin)
    seen.append(generation(people.metadata))
    retention.remove(given.uuid, people.admin)
    seen.append(generation(people.metadata))
    assert len(set(seen)) == 4


def test_those_in_force_are_told_in_the_order_of_their_making(people: People, retention: RuleService) -> None:
    rules = [keeping(TagPatterns(each)) for each in ("c", "a", "b")]
    for each in rules:
        retention.put(each, people.admin)
    retention.put(TagRule(RuleKind.RETENTION, TEAM, ALL_TAGS, keeps=KEPT, is_enabled=False), people.admin)
    found = people.metadata.observe(lambda tx: tx.tag_rules.enabled(RuleKind.RETENTION))
    assert [each.tags.text for each in found] == ["c", "a", "b"]


def test_pages_hold_each_rule_once_and_only_those_that_are_the_callers_to_make(
    people: People, retention: RuleService
) -> None:
    made = {retention.put(keeping(TagPatterns(f"v{number}")), people.admin).uuid for number in range(5)}
    found, last = list[str](), ""
    while page := retention.page(last, 2):
        found += [each.uuid for each in page]
        last = page[-1].uuid
    assert found == sorted(made)
    theirs = retention.put(keeping(repositories=Pattern("team/app")), people.admin)
    people.add("alice")
    alice = people.metadata.observe(lambda tx: tx.accounts.find("alice"))
    assert alice is not None
    maintainer = replace(alice, rights=Rights((Grant("alice", Pattern("team/app"), ("admin",)),)))
    assert retention.page_for(maintainer, "", 9) == [theirs]
    assert retention.page_for(alice, "", 9) == []
    assert len(retention.page_for(people.admin, "", 9)) == 6


@pytest.mark.parametrize("kept", [Keeps(), Keeps(keeps_manifests=True)])
def test_a_rule_that_keeps_nothing_is_refused(people: People, retention: RuleService, kept: Keeps) -> None:
    with pytest.raises(Unfit):
        retention.put(keeping(kept=kept), people.admin)
    with pytest.raises(Unfit):
        retention.put(keeping(NO_TAGS), people.admin)
    with pytest.raises(Unfit):
        fit_tags("**")


def test_a_project_has_so_many_rules_in_force_and_no_more(
    people: People, retention: RuleService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ruling, "MOST_OF_A_PROJECT", 2)
    for tags in ("a", "b"):
        retention.put(keeping(TagPatterns(tags)), people.admin)
    third = keeping(repositories=Pattern("team/app"))
    with pytest.raises(TooManyRules):
        retention.put(third, people.admin)
    retention.put(replace(third, is_enabled=False), people.admin)
    with pytest.raises(TooManyRules):
        retention.put(third, people.admin)
    # One that is there may change, and other projects have room of their own.
    retention.put(keeping(TagPatterns("a"), Keeps(last=9)), people.admin)
    retention.put(keeping(repositories=Pattern("teams/**")), people.admin)
    retention.put(replace(keeping(TagPatterns("a")), is_enabled=False), people.admin)
    retention.put(third, people.admin)


def generation(metadata: Metadata) -> int:
    return metadata.observe(lambda tx: tx.tag_rules.generation())
