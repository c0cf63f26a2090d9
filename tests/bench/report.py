"""What was measured, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.bench.measure import Outcome

TARGET_REACHED, TARGET_MISSED = "ok", "below"


@dataclass(frozen=True, slots=True)
class Memory:
    """The peak resident size of each process of a registry over the whole run, in bytes."""

    label: str
    peaks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Everything a report tells."""

    settings: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    memory: tuple[Memory, ...]

    @property
    def notes(self) -> list[str]:
        return [note for outcome in self.outcomes for note in outcome.notes]


def as_text(run: Run) -> str:
    """The settings, the table, the footnotes."""
    lines = [*run.settings, "", *table(run.outcomes), "", _cost_note(), *run.notes]
    if run.outcomes:
        lines.append(_share_note("client", "processor time of the load, at most in a turn", run.outcomes))
        lines.append(_share_note("others", "processor time of all that is not part of the run", run.outcomes))
    lines += [_memory_note(memory) for memory in run.memory]
    return "\n".join(lines) + "\n"


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Aligned columns: the case left, numbers right. The verdict is on the first peer."""
    if not outcomes:
        return []
    ours, *peers = outcomes[0].turns
    header = ["case", "unit", ours, *(word for peer in peers for word in (peer, "ratio"))]
    header += ["target", "", *(f"cpu {label}" for label in (ours, *peers))]
    rows = [header, *(_row(outcome, ours, peers) for outcome in outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_aligned(row, widths)).rstrip() for row in rows]


def verdict(ratio: float, wanted: float) -> str:
    return TARGET_REACHED if ratio >= wanted else TARGET_MISSED


def as_json(runs: Mapping[str, Run]) -> str:
    """By scene, every turn of every case, beside the medians and ratios."""
    return json.dumps({scene: _run(run) for scene, run in runs.items()}, indent=2)


def _run(run: Run) -> dict[str, object]:
    return {
        "settings": run.settings,
        "notes": run.notes,
        "cases": [_case(outcome) for outcome in run.outcomes],
        "peak_memory_bytes": {memory.label: memory.peaks for memory in run.memory},
    }


def number(value: float) -> str:
    """Three digits that matter, thousands apart: 0.42, 9.87, 98.7, 987, 12 345."""
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}".replace(",", " ")


def _times(ratio: float, digits: str) -> str:
    return f"{ratio:{digits}} \N{MULTIPLICATION SIGN}"


def _row(outcome: Outcome, ours: str, peers: Sequence[str]) -> list[str]:
    compared = [(number(outcome.rate(peer)), _times(outcome.ratio(peer), ".2f")) for peer in peers]
    wanted = outcome.case.wanted
    judged = ["≥ " + _times(wanted, "g"), verdict(outcome.ratio(peers[0]), wanted) if peers else ""]
    costs = [_microseconds(outcome.cost(label)) for label in (ours, *peers)]
    rates = [number(outcome.rate(ours)), *(word for pair in compared for word in pair)]
    return [outcome.case.title, outcome.case.work.unit, *rates, *judged, *costs]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        word.ljust(width) if column < 2 else word.rjust(width)
        for column, (word, width) in enumerate(zip(row, widths, strict=True))
    ]


def _microseconds(cost: float | None) -> str:
    return "" if cost is None else number(cost * 1e6)


def _cost_note() -> str:
    return "cpu: microseconds of processor time, user and system, that the registry's processes spent on one unit"


def _share_note(who: Literal["client", "others"], what: str, outcomes: Sequence[Outcome]) -> str:
    """Load and strangers share the cores with the registries, so their part is told."""
    least, most = (pick(outcomes, key=lambda outcome: outcome.most(who)) for pick in (min, max))
    return f"{what}: {least.most(who):.0%} ({least.case.name}) to {most.most(who):.0%} ({most.case.name}) of one core"


def _memory_note(memory: Memory) -> str:
    each = " + ".join(f"{peak / 2**20:.0f}" for peak in memory.peaks)
    return f"peak memory of {memory.label}: {sum(memory.peaks) / 2**20:.0f} MiB ({each})"


def _case(outcome: Outcome) -> dict[str, object]:
    _, *peers = outcome.turns
    return {
        "name": outcome.case.name,
        "title": outcome.case.title,
        "unit": outcome.case.work.unit,
        "target": outcome.case.wanted,
        "registries": {
            label: {
                "rate": outcome.rate(label),
                "cpu_seconds_per_unit": outcome.cost(label),
                "turns": [
                    {"rate": turn.rate, "cpu": turn.cost, "load": turn.client, "others": turn.others} for turn in turns
                ],
            }
            for label, turns in outcome.turns.items()
        },
        "ratios": {peer: outcome.ratio(peer) for peer in peers},
        "verdict": verdict(outcome.ratio(peers[0]), outcome.case.wanted) if peers else None,
    }
