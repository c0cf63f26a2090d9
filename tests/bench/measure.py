"""Turns: ours, peer, ours, peer; one works while the others idle, and the median of its turns is its figure."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from tests.bench.cases import Case
from tests.bench.children import client_seconds
from tests.bench.material import Material
from tests.bench.processes import kernel_threads, machine_seconds, processor_seconds, tree
from tests.bench.target import Target
from tests.bench.work import Prepared

DISTURBED = 0.25  # of one core
REST = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Turn:
    """One run: units per second, the server's processor seconds per unit, and who else worked, in parts of one core.

    `client` is the load, `others` whatever has nothing to do with the run and only disturbs it.
    """

    rate: float
    cost: float | None
    client: float
    others: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """All turns of a case, by label of the registry, ours first."""

    case: Case
    turns: dict[str, tuple[Turn, ...]]
    notes: tuple[str, ...] = ()

    def rate(self, label: str) -> float:
        return median(turn.rate for turn in self.turns[label])

    def cost(self, label: str) -> float | None:
        """None for a registry whose processes are not ours to see."""
        costs = [turn.cost for turn in self.turns[label] if turn.cost is not None]
        return median(costs) if costs else None

    def most(self, who: Literal["client", "others"]) -> float:
        """The most that they took in any turn."""
        every = [turn for turns in self.turns.values() for turn in turns]
        return max(turn.client if who == "client" else turn.others for turn in every)

    def ratio(self, peer: str) -> float:
        """How many times the peer's rate is ours."""
        ours = next(iter(self.turns))
        return self.rate(ours) / self.rate(peer)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many turns each registry has, how long one is where it has no end of its own, how often one is tried."""

    rounds: int
    seconds: int
    attempts: int


def take_turns(
    case: Case, targets: Sequence[Target], material: Material, pace: Pace, tell: Callable[[str], object]
) -> Outcome:
    """Prepare and check the case on every registry, then measure. Raises: WrongAnswer."""
    tell(f"{case.name}: preparing")
    prepared = [(target, case.work.prepare(target, material)) for target in targets]
    turns: dict[str, list[Turn]] = {target.label: [] for target in targets}
    rounds = min(pace.rounds, case.most_rounds or pace.rounds)
    for number in range(rounds):
        for target, work in prepared:
            turn = _best_turn(target, work, pace)
            turns[target.label].append(turn)
            tell(f"{case.name}: {number + 1} of {rounds}: {target.label} {turn.rate:.1f} {case.work.unit}")
    notes = tuple(note for _, work in prepared for note in work.notes)
    return Outcome(case, {label: tuple(taken) for label, taken in turns.items()}, notes)


def _best_turn(target: Target, work: Prepared, pace: Pace) -> Turn:
    """The first that nothing else disturbed, or of all the least disturbed."""
    taken: list[Turn] = []
    for attempt in range(pace.attempts):
        if attempt:
            time.sleep(REST)
        taken.append(_turn(target, work, pace.seconds))
        if taken[-1].others <= DISTURBED:
            break
    return min(taken, key=lambda turn: turn.others)


def _turn(target: Target, work: Prepared, seconds: int) -> Turn:
    os.sync()  # what the others left unwritten is not written on this one's time
    processes = tree(target.processes)
    before = _spent(processes)
    sample = work.run(seconds)
    after = _spent(processes)
    work.tidy()
    server, client, ourselves, elsewhere, elapsed = (late - early for early, late in zip(before, after, strict=True))
    others = (elsewhere - server - client - ourselves) / elapsed if processes else 0
    return Turn(sample.rate, server / sample.units if processes else None, client / sample.seconds, max(others, 0))


def _spent(processes: Sequence[int]) -> tuple[float, ...]:
    """Processor seconds of the server, the load, this process, and the machine without its kernel's threads; the time.

    What kernel threads do, writing pages above all, they do for the server that is measured.
    """
    machine = machine_seconds() - processor_seconds(kernel_threads())
    return processor_seconds(processes), client_seconds(), time.process_time(), machine, time.monotonic()
