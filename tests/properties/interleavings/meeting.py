"""How actors meet: what each does and may come to, and what must hold after them, whoever they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Final

from registry.core.facts import Repository
from registry.core.ports import Transaction
from registry.core.protection import Protection
from registry.core.sweep import Sweeper
from registry.core.tenure import Tenure
from registry.metadata.postgres import PostgresMetadata
from registry.oci.digest import Digest
from registry.oci.names import Tag
from registry.storage.memory import MemoryStore
from tests.contracts.test_collecting import APP, CONFIG, DAY, LARGE, NOTHING, Registry, image
from tests.support.books import check_books, check_nothing_is_left
from tests.support.clock import Ahead
from tests.support.explorer import Run, Stage

Outcomes = Mapping[str, object]
V2: Final = Tag("v2")
MANIFEST: Final = image()
"""The smallest there is: it needs CONFIG and nothing else."""
CONFIG_DIGEST, LARGE_DIGEST, IMAGE = Digest.of(CONFIG), Digest.of(LARGE), Digest.of(MANIFEST)
_OVER: Final = timedelta(days=30)


@cache
def registry_on(metadata: PostgresMetadata | Ahead, lease: timedelta, undo_window: timedelta) -> Registry:
    """One for all schedules of a stage."""
    return Registry(metadata, lease, undo_window)


@dataclass(frozen=True)
class Act:
    """What somebody does, under which lease and window; `refusals` are what may come of it instead."""

    do: Callable[[Registry], object]
    refusals: tuple[type[Exception], ...] = ()
    lease: timedelta = DAY
    undo_window: timedelta = NOTHING
    waits_in: frozenset[str] | None = None
    """The only statements that may wait for somebody; None for who may wait anywhere."""

    def on(self, metadata: PostgresMetadata) -> Callable[[], object]:
        registry = registry_on(metadata, self.lease, self.undo_window)
        # Which rules there are is asked in each schedule anew: the same steps every time.
        registry.manifests = replace(registry.manifests, protection=Protection())
        return lambda: self.do(registry)


@dataclass(frozen=True)
class Meeting:
    """A `Scene`: leases and windows of what was there before are over; `ends` is what may have come of it."""

    before: Callable[[Registry], object]
    acts: Mapping[str, Act]
    ends: Callable[[Registry, Outcomes], bool] = lambda _, __: True
    turns: frozenset[str] | None = None
    """The only steps before which anybody is preempted; None for all."""

    @property
    def actors(self) -> Mapping[str, Callable[[PostgresMetadata], Callable[[], object]]]:
        return {name: act.on for name, act in self.acts.items()}

    def may_turn(self, step: str) -> bool:
        return self.turns is None or step.partition("[")[0] in self.turns

    def prepare(self, stage: Stage) -> None:
        self.before(registry_on(stage.prompter, NOTHING, NOTHING))

    def check(self, stage: Stage, run: Run) -> None:
        registry = registry_on(stage.prompter, NOTHING, NOTHING)
        for name, outcome in run.outcomes.items():
            is_allowed = isinstance(outcome, self.acts[name].refusals) or not isinstance(outcome, BaseException)
            assert is_allowed, f"{name} came to {outcome!r}"
        check_books(stage.ask)
        registry.check()
        assert self.ends(registry, run.outcomes), f"so it must not end: {run.outcomes}"
        _come_to_rest(stage)
        check_nothing_is_left(stage.ask)
        registry.check()
        for name, step in run.waited:
            waits_in = self.acts[name].waits_in
            assert waits_in is None or step in waits_in, f"{name} waited in {step}"


def _come_to_rest(stage: Stage) -> None:
    """Whatever is held only for a while is held no more, and is collected and swept."""
    later = registry_on(in_a_month(stage.prompter), NOTHING, NOTHING)
    while later.collect().has_taken:
        pass
    Sweeper(later.metadata, MemoryStore(), Tenure(later.metadata, "sweep", "rest"), NOTHING).run()


@cache
def in_a_month(metadata: PostgresMetadata) -> Ahead:
    return Ahead(metadata, _OVER)


# Who collects passes over whatever somebody else holds; but what he takes, and that he did, has to be written down.
WRITTEN_DOWN: Final = frozenset(
    {
        "deleted_manifests._HOLD_REFERRERS", "deleted_manifests._REVIEW_PARTS", "quotas._CHARGE", "refunds._HOLD",
        "settings._PUT",
    }
)  # fmt: skip
COLLECT: Final = Act(Registry.collect, waits_in=WRITTEN_DOWN)


def both(act: Act) -> dict[str, Act]:
    """Two who do the same: as that is one act, only one of them is ever the first to begin."""
    return {"one": act, "other": act}


def shows(registry: Registry, digest: Digest) -> bool:
    return registry.metadata.observe(lambda tx: tx.manifests.find(app(tx), digest)) is not None


def points_to(registry: Registry, tag: Tag) -> Digest | None:
    return registry.metadata.observe(lambda tx: tx.manifests.find(app(tx), tag))


def app(tx: Transaction) -> Repository:
    repository = tx.repositories.find(APP)
    assert repository is not None
    return repository


def done(outcomes: Outcomes, name: str) -> bool:
    return not isinstance(outcomes[name], Exception) and outcomes[name] is not False
