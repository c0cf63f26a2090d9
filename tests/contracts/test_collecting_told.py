"""What the collector tells, on every database: what it will do and why, how far it is, and what it did."""

from __future__ import annotations

import pytest

from registry.core.collect_plan import Fate, Plan
from registry.core.ports import Metadata
from registry.oci.digest import Digest
from registry.oci.names import Tag
from tests.contracts.test_collecting import APP, DAY, LARGE, LAYER, NOTHING, OTHER, Registry


@pytest.fixture
def registry(metadata: Metadata) -> Registry:
    return Registry(metadata)


def test_of_what_was_done_the_last_runs_are_kept(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.metadata.collector_runs._KEPT", 3)
    for number in range(5):
        for blob in range(number + 1):
            registry.push_blob(b"blob %d" % blob)
        registry.collect()
        # This one does nothing, and is not told of.
        registry.collect()
    runs = registry.metadata.observe(lambda tx: tx.collector_runs.page(None, 10))
    assert [each.counts["blobs"] for each in runs] == [5, 4, 3]
    assert all(each.began <= each.ended for each in runs)
    later = registry.metadata.observe(lambda tx: tx.collector_runs.page(runs[0].id, 1))
    assert list(later) == [runs[1]]


def test_who_watches_sees_how_far_it_is(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.core.collect._BATCH", 3)
    for number in range(7):
        registry.push_blob(b"blob %d" % number)
    watching = Watching()
    registry.collector.run(watching)
    assert (watching.tasks, watching.steps) == (["collecting: 7"], [3, 3, 1])


def test_the_plan_is_read_by_the_page_however_long_it_is(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.core.collect_plan._BATCH", 3)
    digests = {registry.push_blob(b"blob %d" % number) for number in range(10)}
    planned = [each.review.digest for each in Plan(registry.metadata, NOTHING).candidates()]
    assert len(planned) == 10
    assert set(planned) == digests


def test_what_is_shared_frees_nothing(registry: Registry) -> None:
    for name in (APP, OTHER):
        registry.push_blob(LARGE, name)
    registry.push_blob(LAYER)
    frees = {
        (each.repository, each.review.digest): each.frees for each in Plan(registry.metadata, NOTHING).candidates()
    }
    assert frees[str(APP), Digest.of(LARGE)] == frees[str(OTHER), Digest.of(LARGE)] == 0
    assert frees[str(APP), Digest.of(LAYER)] == len(LAYER)


class Watching:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.tasks: list[str] = []
        self.steps: list[int] = []

    def begins(self, task: str, length: int) -> None:
        self.tasks.append(f"{task}: {length}")

    def advances(self, steps: int) -> None:
        self.steps.append(steps)


def test_the_plan_tells_what_the_collector_then_does_and_why(metadata: Metadata, registry: Registry) -> None:
    leased = Registry(metadata, lease=DAY).push_blob(b"leased")
    gone, held = registry.push_blob(b"gone"), registry.push_image(LAYER)
    lasting = Registry(metadata, undo_window=DAY)
    kept = lasting.push_image(b"restorable", tag=Tag("old"))
    lasting.manifests.delete(APP, kept, registry.admin)
    told = {each.review.digest: each for each in Plan(metadata, DAY).candidates()}
    assert {each.repository for each in told.values()} == {str(APP)}
    reasons = {
        digest: (each.fate, each.reason.partition(" ends ")[0].partition(" until ")[0]) for digest, each in told.items()
    }
    assert reasons[leased] == (Fate.LATER, "no manifest references it, and its lease")
    assert reasons[gone] == (Fate.GOES, "no manifest references it, and its lease is over")
    assert reasons[kept] == (Fate.LATER, "deleted, and can be restored")
    assert reasons[Digest.of(b"restorable")] == (Fate.STAYS, "a manifest references it")
    assert held not in told
    before = registry.used()
    list(Plan(metadata, DAY).candidates())
    assert registry.used() == before
    assert lasting.collect().blobs == 1
    assert not registry.serves(gone)
