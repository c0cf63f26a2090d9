"""Rules of retention carried out, on every database: what goes, what comes back, and who is quicker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from registry.core.accounts import residents_of
from registry.core.audit import Wanted
from registry.core.deletion import Deletion
from registry.core.facts import Action
from registry.core.keeps import Keeps
from registry.core.patterns import Pattern
from registry.core.ports import Metadata, Transaction
from registry.core.pulling import COUNTED_SINCE, PullService, begin_counting
from registry.core.repositories import RepositoryService
from registry.core.retaining import RetentionPlanner
from registry.core.retention_run import NOTHING, Retained, Retainer
from registry.core.ruling import RuleService
from registry.core.sweep import COLLECTOR_PAUSED
from registry.core.tag_facts import Pull
from registry.core.tag_patterns import TagPatterns
from registry.core.tag_rules import GivenRule, RuleKind, TagRule
from registry.core.tenure import Tenure
from registry.core.undo import UndoService
from registry.metadata.schema import manifest, tag
from registry.metadata.standings import Standings
from registry.oci.digest import Digest
from registry.oci.errors import NameUnknown
from registry.oci.names import RepositoryName, Tag
from tests.contracts.test_collecting import APP, AWAY, DAY, LARGE, LAYER, OTHER, Registry, image, index

TEAM = Pattern("team/**")
MOMENT, HOUR = timedelta(microseconds=1), timedelta(hours=1)


@dataclass
class House:
    """A registry, its rules, and who carries them out."""

    metadata: Metadata
    undo_window: timedelta = DAY
    registry: Registry = field(init=False)

    def __post_init__(self) -> None:
        self.registry = Registry(self.metadata, undo_window=self.undo_window)
        self.undo = UndoService(self.metadata, self.undo_window)
        self.metadata.transact(lambda tx: tx.settings.put(COUNTED_SINCE, (tx.now - 100 * DAY).isoformat()))

    def retainer(self, holder: str = "a", interval: timedelta = timedelta(0)) -> Retainer:
        nobody = residents_of(self.metadata).anonymous
        tenure = Tenure(self.metadata, "retention", holder)
        planner = RetentionPlanner(self.metadata)
        return Retainer(self.metadata, planner, Deletion(timedelta(0), self.undo_window), tenure, nobody, interval)

    def run(self) -> Retained:
        return self.retainer().run()

    def rule(
        self, tags: str = "*", kind: RuleKind = RuleKind.RETENTION, pattern: Pattern = TEAM, **keeps: object
    ) -> GivenRule:
        wanted = TagRule(kind, pattern, TagPatterns.parse(tags), keeps=Keeps(**keeps))  # type: ignore[arg-type]  # its own fields
        return RuleService(self.metadata, kind).put(wanted, self.registry.admin)

    def push(self, *tags: str, name: RepositoryName = APP) -> list[Digest]:
        """An image of its own for each, the last one the youngest."""
        return [self.registry.push_image(tag.encode(), tag=Tag(tag), name=name) for tag in tags]

    def collect(self) -> None:
        """Until there is nothing more to take."""
        while self.registry.collect().has_taken:
            pass
        self.registry.check()

    def tags(self, name: RepositoryName = APP) -> list[str]:
        def look(tx: Transaction) -> list[str]:
            repository = tx.repositories.find(name)
            return [each.tag.text for each in tx.standings.tags(repository, "", 1000)] if repository else []

        return self.metadata.observe(look)

    def serves(self, digest: Digest, name: RepositoryName = APP) -> bool:
        def look(tx: Transaction) -> bool:
            repository = tx.repositories.find(name)
            return repository is not None and tx.manifests.find(repository, digest) is not None

        return self.metadata.observe(look)


@pytest.fixture
def house(metadata: Metadata) -> House:
    return House(metadata)


def test_tags_that_no_rule_keeps_go_with_their_manifests_and_their_bytes(metadata: Metadata) -> None:
    house = House(metadata, timedelta(0))
    digests = house.push("a", "b", "c")
    house.rule(last=1)
    assert house.run() == Retained(2, 2)
    assert house.tags() == ["c"]
    assert [house.serves(each) for each in digests] == [False, False, True]
    house.collect()
    assert not house.registry.serves(Digest.of(b"a"))
    assert house.registry.serves(Digest.of(b"c"))
    assert house.run() == NOTHING


def test_without_rules_and_elsewhere_nothing_goes(house: House) -> None:
    for name in (APP, AWAY):
        house.push("a", "b", name=name)
    assert house.run() == NOTHING
    house.rule(last=1)
    house.run()
    assert (house.tags(), house.tags(AWAY)) == (["b"], ["a", "b"])


def test_what_went_comes_back_and_its_events_name_the_rule(house: House) -> None:
    (digest, _) = house.push("a", "b")
    given = house.rule(last=1)
    house.run()
    assert house.undo.restore_tag(APP, Tag("a"), house.registry.admin) == digest
    assert house.serves(digest)
    told = [each for each in house.metadata.observe(lambda tx: tx.events.unsealed(Wanted(), 0, 1000)) if each.detail]
    ended = [(each.action, each.reference) for each in told if each.detail.startswith("retention: no rule keeps it")]
    assert ended == [(Action.DELETE_TAG, "a"), (Action.DELETE_MANIFEST, "")]
    assert all(given.uuid in each.detail for each in told if each.detail.startswith("retention"))
    (interval, *_) = house.undo.history(APP, Tag("a"))[1:]
    assert interval.ended_by == "(anonymous)"


def test_a_manifest_with_another_tag_stays_and_so_does_one_that_the_rule_keeps(house: House) -> None:
    (digest,) = house.push("old")
    house.registry.push_image(b"old", tag=Tag("stable"))
    house.push("young")
    house.rule("old young", last=1)
    assert house.run() == Retained(1, 0)
    assert house.serves(digest)
    (kept,) = house.push("x1", name=OTHER)
    house.push("x2", name=OTHER)
    house.rule("x*", last=1, keeps_manifests=True)
    assert house.run() == Retained(1, 0)
    assert house.serves(kept, OTHER)


def test_with_an_index_go_its_children_that_nothing_else_leads_to(house: House) -> None:
    children = [house.registry.push_image(layer, tag=None) for layer in (LAYER, LARGE, b"third")]
    inner = house.registry.push(index(image(b"third")), tag=None)
    whole = house.registry.push(index(image(LAYER), image(LARGE), index(image(b"third"))), Tag("old"))
    house.registry.push(image(LARGE), Tag("own"))
    house.push("young")
    house.rule("old young", last=1)
    assert house.run() == Retained(1, 4)
    assert [house.serves(each) for each in (whole, inner, *children)] == [False, False, False, True, False]
    assert house.undo.restore_tag(APP, Tag("old"), house.registry.admin) == whole
    assert all(house.serves(each) for each in (whole, inner, *children))


def test_a_child_of_an_index_that_stays_loses_its_tag_alone(house: House) -> None:
    child = house.registry.push_image(LAYER, tag=Tag("old"))
    house.registry.push(index(image(LAYER)), Tag("young"))
    house.rule(last=1)
    assert house.run() == Retained(1, 0)
    assert house.serves(child)


def test_referrers_and_signatures_stay_while_their_subject_can_come_back(house: House) -> None:
    (subject, _) = house.push("old", "young")
    house.registry.push_blob(LAYER)
    referrer = house.registry.push(image(LAYER, subject=subject), None)
    signature = Tag(f"sha256-{subject.hex}.sig")
    house.registry.push_image(b"signature", tag=signature)
    house.rule(last=1)
    house.rule("nothing", untagged_after=MOMENT)
    for _ in range(2):
        house.run()
        house.collect()
        assert house.tags() == [signature.text, "young"]
        assert house.serves(referrer)


def test_referrers_and_signatures_follow_their_subject_when_nothing_brings_it_back(metadata: Metadata) -> None:
    house = House(metadata, timedelta(0))
    (subject, _) = house.push("old", "young")
    house.registry.push_blob(LAYER)
    referrer = house.registry.push(image(LAYER, subject=subject), None)
    house.registry.push_image(b"signature", tag=Tag(f"sha256-{subject.hex}.sig"))
    house.rule(last=1)
    assert house.run() == Retained(1, 1)
    house.collect()
    assert not house.serves(referrer)
    assert house.run() == Retained(1, 1)
    assert house.tags() == ["young"]


def test_signatures_of_what_was_never_here_stay(house: House) -> None:
    elsewhere = Tag(f"sha256-{Digest.of(b'in another repository').hex}.sig")
    house.registry.push_image(b"signature", tag=elsewhere)
    house.push("young")
    house.rule(last=1)
    assert house.run() == NOTHING
    assert elsewhere.text in house.tags()


def test_immutable_tags_stay(house: House) -> None:
    house.push("a", "b", "c")
    house.rule("a", RuleKind.IMMUTABLE)
    house.rule(last=1)
    house.run()
    assert house.tags() == ["a", "c"]


def test_manifests_without_a_tag_go_when_the_rule_says_so(house: House) -> None:
    tagless = house.registry.push_image(b"tagless", tag=None)
    moved, _ = house.registry.push_image(b"first"), house.registry.push_image(b"second")
    child = house.registry.push_image(LAYER, tag=None)
    house.registry.push(index(image(LAYER)), Tag("index"))
    house.push("a", "b")
    house.rule("a b", last=2)
    assert house.run() == NOTHING
    house.rule("nothing", untagged_after=DAY)
    assert house.run() == NOTHING
    house.rule("nothing", untagged_after=MOMENT)
    assert house.run() == Retained(0, 2)
    assert [house.serves(each) for each in (tagless, moved, child)] == [False, False, True]


def test_a_manifest_that_came_back_without_a_tag_has_as_long_as_one_that_was_pushed(house: House) -> None:
    (digest,) = house.push("old")
    house.registry.manifests.delete(APP, digest, house.registry.admin)
    before = _now(house)
    house.undo.restore_manifest(APP, digest, house.registry.admin)
    house.rule(untagged_after=HOUR)
    (untagged,) = house.metadata.observe(lambda tx: tx.standings.untagged(tx.repositories.get_or_create(APP), None, 9))
    assert untagged.idle_since > before
    assert house.run() == NOTHING


def test_a_manifest_without_a_tag_that_is_pulled_by_its_digest_is_of_use(house: House) -> None:
    digest = house.registry.push_image(b"tagless", tag=None)
    later = house.metadata.observe(lambda tx: tx.now) + HOUR
    PullService(house.metadata).note([Pull(APP, digest, 1, later)])
    house.rule("nothing", untagged_after=MOMENT)
    assert house.run() == NOTHING
    assert house.serves(digest)


def test_a_tag_that_is_pulled_stays_and_one_that_is_not_goes(house: House) -> None:
    (used, _) = house.push("used", "unused")
    later = house.metadata.observe(lambda tx: tx.now) + HOUR
    PullService(house.metadata).note([Pull(APP, used, 1, later)])
    house.rule(pulled_within=MOMENT)
    assert house.run() == Retained(1, 1)
    assert house.tags() == ["used"]


def test_where_pulls_have_just_begun_to_be_counted_nothing_goes_for_want_of_one(house: House) -> None:
    house.push("a")
    house.metadata.transact(lambda tx: tx.settings.remove(COUNTED_SINCE))
    house.rule(pulled_within=MOMENT)
    assert house.run() == NOTHING
    house.metadata.transact(begin_counting)
    house.rule(pulled_within=HOUR)
    assert house.run() == NOTHING
    since = house.metadata.observe(lambda tx: tx.settings.find(COUNTED_SINCE))
    house.metadata.transact(begin_counting)
    assert house.metadata.observe(lambda tx: tx.settings.find(COUNTED_SINCE)) == since


# Who is quicker

MEANWHILE: dict[str, Callable[[House], object]] = {
    "moved": lambda house: house.registry.push_image(b"another", tag=Tag("old")),
    "pushed again": lambda house: house.push("old"),
    "pulled": lambda house: PullService(house.metadata).note([Pull(APP, Digest.of(image(b"old")), 1, _now(house))]),
    "protected": lambda house: house.rule("old", RuleKind.IMMUTABLE),
    "kept by another rule": lambda house: house.rule("old", last=1),
    "paused": lambda house: house.metadata.transact(lambda tx: tx.settings.put(COLLECTOR_PAUSED, "a test")),
}


@pytest.mark.parametrize("change", MEANWHILE)
def test_a_tag_that_is_no_longer_as_the_plan_saw_it_stays(
    house: House, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.push("old", "young")
    house.rule(last=1)
    plan = RetentionPlanner.plan

    def plan_and_be_overtaken(self: RetentionPlanner, *what: object) -> object:
        planned = plan(self, *what)  # type: ignore[arg-type]  # as it was asked
        MEANWHILE[change](house)
        return planned

    monkeypatch.setattr(RetentionPlanner, "plan", plan_and_be_overtaken)
    assert house.run() == NOTHING
    assert house.tags() == ["old", "young"]


def test_a_repository_that_is_deleted_meanwhile_comes_back_as_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.push("old", "young")
    house.rule(last=1)
    plan, service = RetentionPlanner.plan, RepositoryService(house.metadata, DAY)
    deleted: list[str] = []

    def plan_and_be_overtaken(self: RetentionPlanner, *what: object) -> object:
        planned = plan(self, *what)  # type: ignore[arg-type]  # as it was asked
        deleted.append(service.delete(APP, house.registry.admin).uuid)
        return planned

    monkeypatch.setattr(RetentionPlanner, "plan", plan_and_be_overtaken)
    assert house.run() == NOTHING
    service.restore(deleted[0], house.registry.admin)
    assert house.tags() == ["old", "young"]


def test_a_manifest_that_gets_another_tag_meanwhile_loses_the_old_one_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (digest, _) = house.push("old", "young")
    house.rule("old young", last=1)
    hold = Standings.hold

    def tag_meanwhile(self: Standings, *what: object) -> object:
        # By the transaction itself, as nobody else could between two of its statements on SQLite.
        self._moment.run(_POINT_TOO, repository=what[0].id, digest=digest.packed)  # type: ignore[attr-defined]  # a repository
        return hold(self, *what)  # type: ignore[arg-type]  # as it was asked

    monkeypatch.setattr(Standings, "hold", tag_meanwhile)
    assert house.run() == Retained(1, 0)
    assert house.tags() == ["too", "young"]
    assert house.serves(digest)


def test_an_untagged_manifest_that_gets_a_tag_meanwhile_stays(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = house.registry.push_image(b"tagless", tag=None)
    house.rule("nothing", untagged_after=MOMENT)
    plan = RetentionPlanner.plan

    def plan_and_be_overtaken(self: RetentionPlanner, *what: object) -> object:
        planned = plan(self, *what)  # type: ignore[arg-type]  # as it was asked
        house.registry.push(image(b"tagless"), Tag("now"))
        return planned

    monkeypatch.setattr(RetentionPlanner, "plan", plan_and_be_overtaken)
    assert house.run() == NOTHING
    assert house.serves(digest)


def test_a_preview_says_what_becomes_of_each_tag_by_other_rules_too(house: House) -> None:
    house.push("a", "b")
    planner = RetentionPlanner(house.metadata)
    assert planner.plan(APP).decisions == []
    wanted = TagRule(RuleKind.RETENTION, TEAM, keeps=Keeps(last=1))
    assert [(each.standing.tag.text, each.stays) for each in planner.plan(APP, [wanted]).decisions] == [
        ("a", False),
        ("b", True),
    ]
    assert house.tags() == ["a", "b"]
    with pytest.raises(NameUnknown):
        planner.plan(RepositoryName("never/was"))


def _now(house: House) -> datetime:
    return house.metadata.observe(lambda tx: tx.now)


_POINT_TOO = sa.insert(tag).from_select(
    ["repository_id", "name", "manifest_id", "set_at", "set_by"],
    sa.select(
        manifest.c.repository_id, sa.literal("too"), manifest.c.id, manifest.c.pushed_at, manifest.c.pushed_by
    ).where(manifest.c.repository_id == sa.bindparam("repository"), manifest.c.digest == sa.bindparam("digest")),
)
