"""Retention, whatever the rules and the tags: nothing goes that a rule keeps, and more generous rules take no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import event, given
from hypothesis import strategies as st

from registry.core.keeps import Keeps
from registry.core.patterns import EVERYTHING
from registry.core.retention import Case, decide, left_without_tags
from registry.core.tag_facts import StandingTag
from registry.core.tag_patterns import NO_TAGS, TagPatterns
from registry.core.tag_rules import RuleKind, TagRule
from registry.oci.digest import Digest
from registry.oci.names import Tag

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MANIFESTS = [Digest.of(b"%d" % number) for number in range(5)]
NAMES = ["latest", "1.0.0", "v1.0.1", "1.1.0", "1.1.0-rc.1", "2.0.0-alpine", "build-1", "build-2", "dev"]
NAMES += [f"sha256-{MANIFESTS[0].hex}.sig", f"sha256-{MANIFESTS[1].hex}"]
PATTERNS = ["*", "build-*", "1.*", "latest dev", "v* 2.*"]

days = st.integers(0, 60).map(lambda number: timedelta(days=number))
instants = days.map(lambda span: NOW - span)
spans = st.none() | st.integers(1, 60).map(lambda number: timedelta(days=number))
counts = st.none() | st.integers(1, 4)
some_tags = st.just(NO_TAGS) | st.sampled_from(PATTERNS).map(TagPatterns.parse)
keeps = st.builds(Keeps, counts, spans, spans, some_tags, counts, st.none(), keeps_manifests=st.booleans())
rules = st.builds(
    TagRule, st.just(RuleKind.RETENTION), st.just(EVERYTHING), st.sampled_from(PATTERNS).map(TagPatterns.parse),
    some_tags, keeps,
)  # fmt: skip
fixed = st.builds(TagRule, st.just(RuleKind.IMMUTABLE), st.just(EVERYTHING), some_tags)
standings = st.lists(
    st.builds(
        StandingTag, st.sampled_from(NAMES).map(Tag), st.sampled_from(MANIFESTS), instants, instants,
        st.none() | instants,
    ),
    unique_by=lambda each: each.tag,
)  # fmt: skip
cases = st.builds(
    Case, st.lists(fixed, max_size=1), st.lists(rules, min_size=1, max_size=3), st.just(NOW), instants,
    st.frozensets(st.sampled_from(MANIFESTS)),
)  # fmt: skip


def staying(tags: list[StandingTag], case: Case) -> set[Tag]:
    return {each.standing.tag for each in decide(tags, case) if each.stays}


@given(standings, cases)
def test_nothing_goes_that_any_rule_keeps_or_that_no_rule_looks_at(tags: list[StandingTag], case: Case) -> None:
    together = staying(tags, case)
    event(f"{len(tags) - len(together)} go")
    for rule in case.rules:
        alone = staying(tags, replace(case, rules=[rule]))
        looked = {each.tag for each in tags if rule.looks_at(each.tag)}
        assert alone & looked <= together
    for each in tags:
        if not any(rule.looks_at(each.tag) for rule in case.rules) and not each.tag.text.startswith("sha256-"):
            assert each.tag in together


@given(standings, cases, st.data())
def test_a_more_generous_rule_takes_nothing_that_stayed(
    tags: list[StandingTag], case: Case, data: st.DataObject
) -> None:
    rule = data.draw(st.sampled_from(case.rules))
    kept = rule.keeps
    if not kept.speaks_of_tags:
        return
    # What looks at no more tags than before: to keep minor versions at last would change that.
    wider = replace(
        kept,
        last=kept.last and kept.last + data.draw(st.integers(0, 3)),
        pushed_within=kept.pushed_within and kept.pushed_within + data.draw(days),
        pulled_within=(kept.pulled_within or timedelta(days=1)) + data.draw(days),
        minors=kept.minors and kept.minors + data.draw(st.integers(0, 3)),
    )
    more = replace(case, rules=[replace(each, keeps=wider) if each is rule else each for each in case.rules])
    assert staying(tags, case) <= staying(tags, more)


@given(standings, cases)
def test_a_tag_that_is_used_again_stays_if_it_stayed(tags: list[StandingTag], case: Case) -> None:
    stayed = staying(tags, case)
    for each in tags:
        used = replace(each, pulled=NOW)
        again = staying([used if other is each else other for other in tags], case)
        assert each.tag not in stayed or each.tag in again
        assert again >= stayed


@given(standings, cases)
def test_immutable_tags_stay(tags: list[StandingTag], case: Case) -> None:
    stayed = staying(tags, case)
    assert all(each.tag in stayed for each in tags for rule in case.immutable if rule.looks_at(each.tag))


@given(standings, cases)
def test_a_manifest_goes_only_with_its_last_tag(tags: list[StandingTag], case: Case) -> None:
    decided = decide(tags, case)
    gone = left_without_tags(decided)
    assert not {each.standing.digest for each in decided if each.stays} & gone


@given(standings, cases)
def test_each_tag_is_decided_once_with_a_reason(tags: list[StandingTag], case: Case) -> None:
    decided = decide(tags, case)
    assert [each.standing for each in decided] == tags
    assert all(each.reason for each in decided)
