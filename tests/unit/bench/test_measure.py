"""Turns: who works when, and which of them count."""

from dataclasses import dataclass, field

from tests.bench.cases import Case
from tests.bench.load import Sample
from tests.bench.material import Material, Sizes
from tests.bench.measure import Pace, take_turns
from tests.bench.target import OURS, Target
from tests.bench.work import Prepared

TARGETS = [Target(OURS, "registry.example", 1), Target("peer", "registry.example", 2)]


@dataclass
class Noted:
    """Work that only notes what is asked of it; each turn of a registry is faster than the one before."""

    unit: str = "req/s"
    events: list[str] = field(default_factory=list)

    def prepare(self, target: Target, material: Material) -> Prepared:
        def run(seconds: int) -> Sample:
            self.events.append(f"run {target.label}")
            return Sample(100 * self.events.count(f"run {target.label}"), seconds)

        self.events.append(f"prepare {target.label}")
        return Prepared(run, lambda: self.events.append(f"tidy {target.label}"), notes=(f"{target.label} is prepared",))


def test_registries_take_turns_and_tidy_after_each() -> None:
    work = Noted()

    take_turns(Case("noted", "noted", 1, work), TARGETS, Material(Sizes.rehearsal()), Pace(2, 1, 1), print)

    turn = ["run ours", "tidy ours", "run peer", "tidy peer"]
    assert work.events == ["prepare ours", "prepare peer", *turn, *turn]


def test_every_turn_of_every_registry_is_kept() -> None:
    outcome = take_turns(Case("noted", "noted", 1, Noted()), TARGETS, Material(Sizes.rehearsal()), Pace(3, 2, 1), print)

    assert {label: [turn.rate for turn in turns] for label, turns in outcome.turns.items()} == {
        OURS: [50, 100, 150],
        "peer": [50, 100, 150],
    }
    assert outcome.notes == ("ours is prepared", "peer is prepared")


def test_registries_elsewhere_have_no_costs_to_tell() -> None:
    outcome = take_turns(Case("noted", "noted", 1, Noted()), TARGETS, Material(Sizes.rehearsal()), Pace(1, 1, 3), print)

    assert [outcome.cost(target.label) for target in TARGETS] == [None, None]
