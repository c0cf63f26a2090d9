"""The verbs of `entrepot gc`: what the collector will do and why, what it does now, and how it stands."""

from __future__ import annotations

import click

from registry.cli_people.answer import Answer
from registry.cli_people.operator import Operator, operates
from registry.core.collect import LAST_COLLECTED, Collector
from registry.core.collect_plan import Candidate, Fate, Plan
from registry.core.ports import Transaction
from registry.core.sweep import COLLECTOR_PAUSED
from registry.kinds import DURATION


@click.group()
def gc() -> None:
    """The collector, which gives back what nothing holds any more.

    A server does that by itself, round after round, while people push and pull.
    """


@gc.command()
@operates
def plan(operator: Operator) -> Answer:
    """Tell what becomes of whatever waits for a decision, and why.

    Nothing is changed.
    """
    candidates = list(Plan(operator.metadata, operator.settings.undo_window).candidates())
    sums: dict[str, object] = {fate.value: sum(each.fate is fate for each in candidates) for fate in Fate}
    told = ", ".join(f"{count} {fate}" for fate, count in sums.items())
    return Answer(sums | {"candidates": list(map(_document, candidates))}, [*map(_line, candidates), told])


@gc.command()
@operates
def run(operator: Operator) -> Answer:
    """Do now what is due, as a server does by itself."""
    collected = Collector(operator.metadata, operator.settings.undo_window).run()
    document = {name: getattr(collected, name) for name in ("manifests", "links", "blobs", "kept")}
    later = DURATION.show(operator.settings.delete_delay)
    return Answer(document, [f"{collected}; bytes leave the store {later} later, when background work comes by"])


@gc.command()
@operates
def status(operator: Operator) -> Answer:
    """Tell whether the collector runs, what waits for it, and what it did last."""

    def look(tx: Transaction) -> tuple[str | None, str | None, tuple[int, int]]:
        return tx.settings.find(COLLECTOR_PAUSED), tx.settings.find(LAST_COLLECTED), tx.reviews.counts()

    paused, last, (waiting, due) = operator.metadata.observe(look)
    lines = [
        f"paused: {paused}" if paused else "not paused",
        f"{waiting} candidates wait, {due} of them are due",
        f"last: {last}" if last else "nothing has gone yet",
    ]
    return Answer({"paused": paused, "waiting": waiting, "due": due, "last": last}, lines)


def _line(candidate: Candidate) -> str:
    review = candidate.review
    return f"{candidate.fate}: {review.kind} {review.digest} of {candidate.repository}: {candidate.reason}"


def _document(candidate: Candidate) -> dict[str, str]:
    return {
        "fate": candidate.fate,
        "kind": candidate.review.kind,
        "digest": str(candidate.review.digest),
        "repository": candidate.repository,
        "reason": candidate.reason,
        "when": candidate.when.isoformat(),
    }
