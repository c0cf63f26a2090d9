"""Retention, decided: which tags of a repository stay, which go, and why. Pure: facts and rules in, decisions out.

    a rule of immutable tags keeps it              stays
    named after a manifest (`core/companions`)     stays while that is there or can be restored; then it goes
    no rule looks at it                            stays
    any rule that looks at it keeps it             stays
    else                                           goes, and so does its manifest with its last tag

A manifest without a tag goes when every rule that speaks of such ones has waited long enough.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.core.companions import is_companion, subject_of
from registry.core.keeps import told
from registry.core.tag_facts import StandingTag, UntaggedManifest
from registry.core.tag_rules import TagRule
from registry.core.versions import newest_patches
from registry.oci.digest import Digest
from registry.oci.names import Tag


@dataclass(frozen=True, slots=True)
class Case:
    """By what is decided: the rules about one repository, of both kinds, and what is known of it.

    `counted_since` is when pulls began to be counted, and `gone` are subjects that were here and cannot come back.
    """

    immutable: Sequence[TagRule]
    rules: Sequence[TagRule]
    now: datetime
    counted_since: datetime
    gone: Collection[Digest] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a tag, why, and the rule that decides; none where no rule does."""

    standing: StandingTag
    stays: bool
    reason: str
    rule: TagRule | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """A manifest without a tag that goes, why, and the rule that decides."""

    manifest: UntaggedManifest
    reason: str
    rule: TagRule


def decide(tags: Sequence[StandingTag], case: Case) -> list[Decision]:
    """One decision for each tag, in their order."""
    judged = [(rule, _judged(rule, tags, case)) for rule in case.rules]
    return [_of(each, judged, case) for each in tags]


def ending(manifests: Iterable[UntaggedManifest], case: Case) -> list[Ending]:
    """Those that go."""
    speaking = [(rule.keeps.untagged_after, rule) for rule in case.rules if rule.keeps.untagged_after]
    if not speaking:
        return []
    wait, rule = max(speaking, key=lambda each: each[0])
    reason = f"it has had no tag for {told(wait)}"
    return [Ending(each, reason, rule) for each in manifests if each.idle_since + wait <= case.now]


def left_without_tags(decisions: Iterable[Decision]) -> set[Digest]:
    """Manifests all of whose tags go, and that no rule which takes one of them wants to keep."""
    decided = list(decisions)
    kept = {each.standing.digest for each in decided if each.stays or (each.rule and each.rule.keeps.keeps_manifests)}
    return {each.standing.digest for each in decided} - kept


def _of(each: StandingTag, judged: Sequence[tuple[TagRule, Mapping[Tag, str]]], case: Case) -> Decision:
    fixed = next((rule for rule in case.immutable if rule.looks_at(each.tag)), None)
    if fixed is not None:
        return Decision(each, stays=True, reason="it is immutable", rule=fixed)
    if is_companion(each.tag):
        return _of_companion(each, case)
    looking = [(rule, reasons[each.tag]) for rule, reasons in judged if each.tag in reasons]
    keeping = next(((rule, reason) for rule, reason in looking if reason), None)
    if keeping is not None:
        return Decision(each, stays=True, reason=keeping[1], rule=keeping[0])
    if looking:
        return Decision(each, stays=False, reason="no rule keeps it", rule=looking[0][0])
    return Decision(each, stays=True, reason="no rule looks at it")


def _of_companion(each: StandingTag, case: Case) -> Decision:
    subject = subject_of(each.tag)
    if subject is not None and subject in case.gone:
        return Decision(each, stays=False, reason=f"what it belongs to is gone: {subject}")
    return Decision(each, stays=True, reason="it belongs to another manifest")


def _judged(rule: TagRule, tags: Sequence[StandingTag], case: Case) -> Mapping[Tag, str]:
    """The tags that a rule looks at, each with the first reason to keep it, or none."""
    looked = [each for each in tags if rule.looks_at(each.tag)]
    judged = {each.tag: "" for each in looked}
    for reason, some in _reasons(rule, looked, case):
        judged |= {tag: judged[tag] or reason for tag in some}
    return judged


def _reasons(rule: TagRule, looked: Sequence[StandingTag], case: Case) -> Iterable[tuple[str, Iterable[Tag]]]:
    keeps = rule.keeps
    if keeps.like:
        yield f"it is like {keeps.like}", [each.tag for each in looked if keeps.like.match(each.tag)]
    if keeps.last:
        latest = sorted(looked, key=lambda each: (each.pushed, each.tag), reverse=True)[: keeps.last]
        yield f"it is among the last {keeps.last} pushed", [each.tag for each in latest]
    if keeps.minors:
        newest = newest_patches((each.tag for each in looked), keeps.minors)
        yield f"it is the newest patch of one of the last {keeps.minors} minor versions", newest
    if keeps.pushed_within:
        since = case.now - keeps.pushed_within
        yield (
            f"it was pushed within {told(keeps.pushed_within)}",
            [each.tag for each in looked if each.pushed > since],
        )
    if keeps.pulled_within:
        since = case.now - keeps.pulled_within
        within = told(keeps.pulled_within)
        yield f"it was pulled within {within}", [each.tag for each in looked if each.pulled and each.pulled > since]
        # Whoever pushed it wants somebody to pull it; and of a time before pulls were counted, nobody knows.
        yield f"it was pushed within {within}, to be pulled", [each.tag for each in looked if each.pushed > since]
        if case.counted_since > since:
            yield f"pulls have not been counted for {within} yet", [each.tag for each in looked]
