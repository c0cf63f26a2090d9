"""Retention, decided: what stays, what goes, and why."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import pytest

from registry.core.keeps import Keeps
from registry.core.patterns import Pattern
from registry.core.retention import Case, decide, ending, left_without_tags
from registry.core.tag_facts import StandingTag, UntaggedManifest
from registry.core.tag_patterns import TagPatterns
from registry.core.tag_rules import RuleKind, TagRule
from registry.oci.digest import Digest
from registry.oci.names import Tag, fallback_tag

DAY = timedelta(days=1)
NOW = datetime(2030, 6, 1, tzinfo=UTC)
LONG_AGO = NOW - 1000 * DAY
TEAM = Pattern("team/**")


def standing(
    tag: str, days: float = 0, *, pulled: float | None = None, pushed: float | None = None, content: str = ""
) -> StandingTag:
    """Set so many days ago, of a manifest that was pushed then (or at another time) and pulled later, or never."""
    since = NOW - days * DAY
    return StandingTag(
        Tag(tag),
        Digest.of((content or tag).encode()),
        since,
        since if pushed is None else NOW - pushed * DAY,
        None if pulled is None else NOW - pulled * DAY,
    )


def keeping(tags: str = "*", exceptions: str = "", **keeps: object) -> TagRule:
    return TagRule(
        RuleKind.RETENTION,
        TEAM,
        TagPatterns.parse(tags),
        TagPatterns.parse(exceptions),
        Keeps(**keeps),  # type: ignore[arg-type]  # its own fields
    )


def case(
    *rules: TagRule, immutable: str = "", counted_since: datetime = LONG_AGO, gone: Collection[Digest] = ()
) -> Case:
    fixed = [TagRule(RuleKind.IMMUTABLE, TEAM, TagPatterns.parse(immutable))] if immutable else []
    return Case(fixed, rules, NOW, counted_since, gone)


def stay(tags: list[StandingTag], *rules: TagRule, **more: object) -> dict[str, str]:
    """Those that stay, each with the reason."""
    return {each.standing.tag.text: each.reason for each in decide(tags, case(*rules, **more)) if each.stays}  # type: ignore[arg-type]  # the case's own


BUILDS = [standing(f"build-{number}", days=10 - number) for number in range(10)]


def test_the_last_ones_pushed_stay() -> None:
    assert stay(BUILDS, keeping(last=3)) == dict.fromkeys(
        ["build-7", "build-8", "build-9"], "it is among the last 3 pushed"
    )


def test_a_push_of_the_same_manifest_again_is_a_push() -> None:
    again = standing("again", days=30, pushed=0)
    assert "again" in stay([*BUILDS, again], keeping(last=1))
    assert "again" in stay([again], keeping(pushed_within=DAY))


def test_those_pushed_within_a_time_stay() -> None:
    tags = [standing("new", days=6.9), standing("old", days=7), standing("older", days=8, pulled=1)]
    assert stay(tags, keeping(pushed_within=7 * DAY)) == {"new": "it was pushed within 7d"}


def test_those_pulled_within_a_time_stay_and_those_that_wait_for_their_first_pull() -> None:
    tags = [
        standing("used", days=90, pulled=6),
        standing("unused", days=90, pulled=8),
        standing("never", days=90),
        standing("fresh", days=1),
    ]
    assert stay(tags, keeping(pulled_within=7 * DAY)) == {
        "used": "it was pulled within 7d",
        "fresh": "it was pushed within 7d, to be pulled",
    }


def test_before_pulls_were_counted_for_so_long_nothing_goes_for_want_of_one() -> None:
    tags = [standing("never", days=90)]
    young = NOW - 6 * DAY
    assert stay(tags, keeping(pulled_within=7 * DAY), counted_since=young) == {
        "never": "pulls have not been counted for 7d yet"
    }
    assert stay(tags, keeping(pulled_within=5 * DAY), counted_since=young) == {}


def test_those_like_a_pattern_stay() -> None:
    kept = keeping(last=1, like=TagPatterns("latest"))
    told = stay([*BUILDS, standing("latest", 90)], kept)
    assert told == {"build-9": "it is among the last 1 pushed", "latest": "it is like latest"}


def test_the_newest_patches_of_the_last_minor_versions_stay_and_names_that_are_no_versions_are_not_looked_at() -> None:
    tags = [standing(each) for each in ("1.0.0", "1.1.0", "1.1.1", "latest", "1.1", "1")]
    told = stay(tags, keeping(minors=1))
    assert told.pop("1.1.1") == "it is the newest patch of one of the last 1 minor versions"
    assert told == dict.fromkeys(["latest", "1.1", "1"], "no rule looks at it")


def test_a_tag_that_no_rule_looks_at_stays() -> None:
    rules = keeping("build-*", "build-0", last=1), keeping(untagged_after=DAY)
    told = stay([*BUILDS, standing("other", 900)], *rules)
    assert told == {
        "build-0": "no rule looks at it",
        "other": "no rule looks at it",
        "build-9": "it is among the last 1 pushed",
    }


def test_a_tag_stays_if_any_rule_that_looks_at_it_keeps_it() -> None:
    rules = keeping("build-*", last=2), keeping("build-1 build-2", pushed_within=8.5 * DAY)
    assert set(stay(BUILDS, *rules)) == {"build-9", "build-8", "build-2"}


def test_what_goes_names_the_first_rule_that_looked_at_it() -> None:
    first, second = keeping("build-*", last=2), keeping(last=1)
    (gone, *_) = decide(BUILDS, case(first, second))
    assert (gone.stays, gone.reason, gone.rule) == (False, "no rule keeps it", first)


def test_an_immutable_tag_stays_whatever_the_rules_say() -> None:
    told = stay(BUILDS, keeping(last=1), immutable="build-0")
    assert told["build-0"] == "it is immutable"


def test_what_is_named_after_a_manifest_stays_until_that_is_gone_for_good() -> None:
    image, lost = Digest.of(b"image"), Digest.of(b"lost")
    tags = [
        standing(f"sha256-{image.hex}.sig", 900),
        standing(f"sha256-{lost.hex}.att", 900),
        standing(fallback_tag(Digest.of(b"longer", "sha512")).text, 900),
    ]
    decided = decide(tags, case(keeping(last=1), gone={lost}))
    assert [(each.stays, each.reason) for each in decided] == [
        (True, "it belongs to another manifest"),
        (False, f"what it belongs to is gone: {lost}"),
        (True, "it belongs to another manifest"),
    ]


def test_a_signature_takes_no_place_among_the_last_ones() -> None:
    signature = standing(f"sha256-{Digest.of(b'image').hex}.sig", 0)
    assert "build-9" in stay([signature, *BUILDS], keeping(last=1))


def test_a_manifest_goes_with_the_last_of_its_tags() -> None:
    tags = [
        standing("a", 90, content="both go"), standing("b", 90, content="both go"),
        standing("c", 90, content="one stays"), standing("d", 90, content="one stays", pushed=90),
        standing("e", 90, content="kept by a rule"),
    ]  # fmt: skip
    rules = keeping("a b c", last=1, pushed_within=DAY), keeping("e", pushed_within=DAY, keeps_manifests=True)
    decided = decide(tags, case(*rules))
    # The last of the first rule stays: by name, as all are of one age.
    assert [each.standing.tag.text for each in decided if not each.stays] == ["a", "b", "e"]
    assert left_without_tags(decided) == {Digest.of(b"both go")}


@pytest.mark.parametrize(("waits", "goes"), [((7,), True), ((30,), False), ((7, 30), False), ((), False)])
def test_a_manifest_without_a_tag_goes_when_every_rule_that_speaks_of_it_has_waited(
    waits: tuple[int, ...], goes: bool
) -> None:
    manifest = UntaggedManifest(Digest.of(b"untagged"), NOW - 10 * DAY)
    rules = [keeping(f"tag-{days}", untagged_after=days * DAY) for days in waits]
    found = ending([manifest], case(keeping(last=1), *rules))
    assert [each.manifest for each in found] == ([manifest] if goes else [])
    if goes:
        assert (found[0].reason, found[0].rule) == ("it has had no tag for 7d", rules[0])
