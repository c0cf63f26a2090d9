"""Immutable tags, on every database: set once, then neither moved nor deleted, whoever tries, from the next try on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import pytest

from registry.core.audit import Wanted
from registry.core.facts import Action
from registry.core.manifests import UNCONDITIONAL, Condition
from registry.core.patterns import Pattern
from registry.core.ports import Metadata, Transaction
from registry.core.protection import Protection
from registry.core.repositories import RepositoryService
from registry.core.ruling import RuleService
from registry.core.tag_patterns import ALL_TAGS, TagPatterns
from registry.core.tag_rules import GivenRule, RuleKind, TagRule
from registry.core.undo import UndoService
from registry.metadata.postgres import PostgresMetadata
from registry.metadata.tag_rules import TagRules
from registry.oci.digest import Digest
from registry.oci.errors import Denied, TagImmutable, TagMayNotMove
from registry.oci.names import Tag, fallback_tag
from tests.contracts.test_collecting import APP, AWAY, DAY, LARGE, LAYER, V1, Registry, image
from tests.support.postgres import postgres_server

TEAM = Pattern("team/**")


@pytest.fixture
def registry(metadata: Metadata) -> Registry:
    return Registry(metadata, undo_window=DAY)


def protect(registry: Registry, tags: str = "v*", exceptions: str = "", repositories: Pattern = TEAM) -> GivenRule:
    rule = TagRule(RuleKind.IMMUTABLE, repositories, TagPatterns.parse(tags), TagPatterns.parse(exceptions))
    return RuleService(registry.metadata, RuleKind.IMMUTABLE).put(rule, registry.admin)


def points_to(registry: Registry, tag: Tag = V1) -> Digest | None:
    return registry.metadata.observe(lambda tx: tx.tags.find(tx.repositories.get_or_create(APP), tag))


def test_an_immutable_tag_is_set_once_and_the_same_manifest_may_come_again(registry: Registry) -> None:
    protect(registry)
    first = registry.push_image(LAYER)
    assert registry.push_image(LAYER) == first
    with pytest.raises(TagImmutable) as refused:
        registry.push_image(LARGE)
    assert refused.value.detail == {"reference": "v1", "rule": "v* of team/** cannot change"}
    assert (refused.value.status, refused.value.code) == (403, "DENIED")
    assert points_to(registry) == first
    # What was refused has left nothing behind, but for blobs, which wait for a manifest.
    other = Digest.of(image(LARGE))
    assert registry.metadata.observe(lambda tx: tx.manifests.find(tx.repositories.get_or_create(APP), other)) is None


def test_it_is_not_deleted_with_its_repository(registry: Registry) -> None:
    registry.push_image(LAYER, tag=Tag("free"))
    repositories = RepositoryService(registry.metadata, DAY)
    given = protect(registry)
    repositories.restore(repositories.delete(APP, registry.admin).uuid, registry.admin)
    digest = registry.push_image(LAYER)
    with pytest.raises(TagImmutable):
        repositories.delete(APP, registry.admin)
    assert points_to(registry) == digest
    RuleService(registry.metadata, RuleKind.IMMUTABLE).remove(given.rule.uuid, registry.admin)
    assert repositories.delete(APP, registry.admin).repository.name == APP


def test_it_is_not_deleted_by_itself_nor_with_its_manifest(registry: Registry) -> None:
    digest = registry.push_image(LAYER)
    registry.push(image(LAYER), Tag("other"))
    protect(registry)
    with pytest.raises(TagImmutable):
        registry.manifests.delete_tag(APP, V1, registry.admin)
    with pytest.raises(TagImmutable):
        registry.manifests.delete(APP, digest, registry.admin)
    assert points_to(registry) == points_to(registry, Tag("other")) == digest
    registry.manifests.delete_tag(APP, Tag("other"), registry.admin)


def test_it_is_not_restored_to_what_it_was_before_the_rule(registry: Registry) -> None:
    registry.push_image(LAYER)
    second = registry.push_image(LARGE)
    protect(registry)
    with pytest.raises(TagImmutable):
        UndoService(registry.metadata, DAY).restore_tag(APP, V1, registry.admin)
    assert points_to(registry) == second


def test_one_that_was_deleted_before_the_rule_comes_back_and_stays(registry: Registry) -> None:
    first = registry.push_image(LAYER)
    registry.manifests.delete_tag(APP, V1, registry.admin)
    protect(registry)
    assert UndoService(registry.metadata, DAY).restore_tag(APP, V1, registry.admin) == first
    with pytest.raises(TagImmutable):
        registry.push_image(LARGE)


def test_of_a_push_of_several_tags_none_is_set_where_one_may_not_move(registry: Registry) -> None:
    registry.push_image(LAYER)
    protect(registry)
    registry.push_image(LARGE, tag=None)
    with pytest.raises(TagImmutable):
        registry.manifests.put(
            APP, Digest.of(image(LARGE)), image(LARGE), "", registry.admin, tags=[Tag("a"), V1, Tag("z")]
        )
    assert points_to(registry, Tag("a")) is points_to(registry, Tag("z")) is None


def test_a_rule_says_nothing_of_other_tags_other_repositories_and_exceptions(registry: Registry) -> None:
    protect(registry, "*", "latest dev-*")
    for tag in ("latest", "dev-1"):
        registry.push_image(LAYER, tag=Tag(tag))
        registry.push_image(LARGE, tag=Tag(tag))
        registry.manifests.delete_tag(APP, Tag(tag), registry.admin)
    for layer in (LAYER, LARGE):
        registry.push_image(layer, name=AWAY)
    registry.push_image(LAYER)
    with pytest.raises(TagImmutable):
        registry.push_image(LARGE)


def test_signatures_are_never_blocked(registry: Registry) -> None:
    protect(registry, "*")
    signed = registry.push_image(LAYER)
    companions = [Tag(f"sha256-{signed.hex}{suffix}") for suffix in (".sig", ".att", ".sbom")]
    for tag in (*companions, fallback_tag(signed)):
        for layer in (b"one signature", b"two signatures"):
            digest = registry.push_image(layer, tag=tag)
            assert points_to(registry, tag) == digest
        registry.manifests.delete_tag(APP, tag, registry.admin)


def test_a_rule_holds_from_the_next_push_on_until_it_is_taken_back(registry: Registry) -> None:
    registry.push_image(LAYER)
    registry.push_image(LARGE)
    given = protect(registry)
    with pytest.raises(TagImmutable):
        registry.push_image(LAYER)
    service = RuleService(registry.metadata, RuleKind.IMMUTABLE)
    service.put(TagRule(RuleKind.IMMUTABLE, TEAM, TagPatterns("v*"), is_enabled=False), registry.admin)
    registry.push_image(LAYER)
    protect(registry)
    with pytest.raises(TagImmutable):
        registry.push_image(LARGE)
    service.remove(given.uuid, registry.admin)
    registry.push_image(LARGE)


def test_who_may_move_no_tag_is_told_that_first(registry: Registry) -> None:
    protect(registry)
    registry.push_image(LAYER)
    registry.push_image(LARGE, tag=None)
    for condition, refusal in ((Condition(may_move=False), TagMayNotMove), (UNCONDITIONAL, TagImmutable)):
        with pytest.raises(Denied) as refused:
            registry.manifests.put(APP, V1, image(LARGE), "", registry.admin, condition=condition)
        assert type(refused.value) is refusal


def test_who_changes_no_tag_asks_for_no_rule(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.push_image(LAYER)
    asked = list[object]()

    def about(_: Protection, *what: object) -> Sequence[TagRule]:
        asked.append(what)
        return []

    monkeypatch.setattr(Protection, "about", about)
    registry.push_image(LAYER)
    registry.push_image(LARGE, tag=Tag("new"))
    assert asked == []
    registry.push_image(LARGE)
    assert len(asked) == 1


def test_what_the_rules_say_is_read_once_for_each_generation(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    protect(registry, "release-*")
    read, enabled = list[RuleKind](), TagRules.enabled

    def counted(rules: TagRules, kind: RuleKind) -> Sequence[TagRule]:
        read.append(kind)
        return enabled(rules, kind)

    monkeypatch.setattr(TagRules, "enabled", counted)
    for layer in (LAYER, LARGE, LAYER):
        registry.push_image(layer)
    assert len(read) == 1


def test_what_the_rules_say_is_asked_once_however_many_tags_go(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    protect(registry, "release-*")
    digest = registry.push_image(LAYER)
    for number in range(5):
        registry.push(image(LAYER), Tag(f"v{number}"))
    asked, generation = list[TagRules](), TagRules.generation

    def counted(rules: TagRules) -> int:
        asked.append(rules)
        return generation(rules)

    monkeypatch.setattr(TagRules, "generation", counted)
    registry.manifests.delete(APP, digest, registry.admin)
    assert len(asked) == 1
    UndoService(registry.metadata, DAY).restore_manifest(APP, digest, registry.admin)
    for number in range(5):
        registry.push(image(LAYER), Tag(f"v{number}"))
    assert len(asked) == 1
    RepositoryService(registry.metadata, DAY).delete(APP, registry.admin)
    assert len(asked) == 2


def test_a_rule_that_is_committed_while_a_push_waits_for_its_tag_is_seen_by_it() -> None:
    """On PostgreSQL, where a push waits for a row and not for a turn."""
    with (
        postgres_server().database() as url,
        closing(PostgresMetadata(url, pool_size=3)) as one,
        closing(PostgresMetadata(url, pool_size=2)) as other,
    ):
        pushing, ruling = Registry(one), Registry(other)
        pushing.push_image(LAYER)
        pushing.push_image(LARGE, tag=None)
        keep = pushing.manifests.plan(APP, V1, image(LARGE), "", pushing.admin)[1]

        def push(tx: Transaction) -> None:
            # Everything that a push knows by then; the rule comes before it holds the tag.
            assert tx.tag_rules.generation() == 0
            protect(ruling, str(ALL_TAGS))
            keep(tx)

        with pytest.raises(TagImmutable):
            one.transact(push)
        assert points_to(pushing) == Digest.of(image(LAYER))


def test_rules_that_were_made_and_taken_back_are_told_of(registry: Registry) -> None:
    given = protect(registry)
    RuleService(registry.metadata, RuleKind.IMMUTABLE).remove(given.uuid, registry.admin)
    told = registry.metadata.observe(lambda tx: tx.events.unsealed(Wanted(), 0, 100))
    rules = [(each.action, each.detail) for each in told if each.action in {Action.PUT_RULE, Action.REMOVE_RULE}]
    assert rules == [("rule.put", "v* of team/** cannot change"), ("rule.remove", "v* of team/** cannot change")]
