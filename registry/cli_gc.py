"""The verbs of `entrepot gc`: what the collector will do and why, what it does now, how it stands, and its pause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import takewhile

import click

from registry.background import EvenRest
from registry.cli_bars import watching
from registry.cli_people.answer import Answer, Listing, Told
from registry.cli_people.operator import Operator, operates
from registry.core.collect import Collector
from registry.core.collect_facts import CollectorRun, Waiting
from registry.core.collect_plan import Candidate, Fate, Plan
from registry.core.collector_service import CollectorStatus, document_of
from registry.core.counts import counted
from registry.core.outlook import Ending, endings
from registry.core.printable import harmless
from registry.core.sizes import in_words
from registry.kinds import DURATION

_RUNS_TOLD = 10
Entry = tuple[dict[str, object], str]


@click.group()
def gc() -> None:
    """The collector, which gives back what nothing holds any more.

    A server does that by itself, round after round, while people push and pull.
    """


@gc.command()
@operates
def plan(operator: Operator) -> Told:
    """Tell what becomes of whatever waits for a decision, and why.

    After the candidates come deleted repositories, upload sessions and the bytes of what nobody names, with the time
    when each goes.
    Nothing is changed.
    """
    sums = _Sums()
    return Listing("candidates", _planned(operator, sums), sums.told)


@gc.command()
@click.option("--dry-run", is_flag=True, help="only tell what would become of what is due, and why")
@operates
def run(operator: Operator, *, dry_run: bool) -> Told:
    """Do now what is due, as a server does by itself."""
    if dry_run:
        return _rehearsed(operator)
    with watching() as watcher:
        collected = Collector(operator.metadata, operator.settings.undo_window, EvenRest()).run(watcher)
    paused = operator.collector.status().paused
    document = {name: getattr(collected, name) for name in collected.__slots__} | {"paused": paused}
    later = DURATION.show(operator.settings.delete_delay)
    refused = (
        [f"{counted(collected.refused, 'candidate')} that the database would not let go"] if collected.refused else []
    )
    went = f"{collected}; bytes leave the store {later} later, when background work comes by"
    return Answer(document, [f"paused: {harmless(paused)}"] if paused else [went, *refused])


@gc.command()
@operates
def status(operator: Operator) -> Told:
    """Tell how the collector is: what waits, what went.

    Also whether it is paused, and when there is something to do next.
    """
    told, runs = operator.collector.status(), operator.collector.runs(None, _RUNS_TOLD)
    interval = operator.settings.sweep_interval
    document = told.document() | {"every": interval.total_seconds(), "runs": list(map(document_of, runs))}
    return Answer(document, [*_status_lines(told, operator.now, DURATION.show(interval)), *map(_run_line, runs)])


@gc.command()
@click.option("--reason", default="", metavar="TEXT", help="what for, for whoever looks at it")
@operates
def pause(operator: Operator, reason: str) -> Told:
    """Let nothing go until it is resumed: neither rows nor bytes."""
    paused = operator.collector.pause(reason, operator.caller)
    return Answer({"paused": paused}, [f"paused: {harmless(paused)}"])


@gc.command()
@operates
def resume(operator: Operator) -> Told:
    """Let the collector go on, whatever it was paused for.

    After a restore that is better left to `entrepot fsck`, which does it when nothing is missing.
    """
    paused = operator.collector.resume(operator.caller)
    return Answer({"was": paused}, [f"it goes on; it was paused {harmless(paused)}" if paused else "it was not paused"])


class _Sums:
    """How many candidates have each fate, and what goes with them."""

    def __init__(self) -> None:
        self.fates = Counter[Fate]()
        self.frees = 0

    def add(self, candidate: Candidate) -> None:
        self.fates[candidate.fate] += 1
        self.frees += candidate.frees if candidate.fate is Fate.GOES else 0

    def told(self) -> tuple[Mapping[str, object], str]:
        counts = {fate.value: self.fates[fate] for fate in Fate}
        line = ", ".join(f"{fate} {count}" for fate, count in counts.items())
        return counts | {"frees": self.frees}, f"{line}; {in_words(self.frees)} would be free"


def _planned(operator: Operator, sums: _Sums) -> Iterator[Entry]:
    plan = Plan(operator.metadata, operator.settings.undo_window)
    yield from _told(plan.candidates(), sums)
    settings = operator.settings
    for ending in endings(operator.metadata, settings.delete_delay, settings.undo_window):
        sums.fates[Fate.LATER] += 1
        yield _ending_document(ending), _ending_line(ending)


def _rehearsed(operator: Operator) -> Listing:
    sums, plan = _Sums(), Plan(operator.metadata, operator.settings.undo_window)
    due = takewhile(lambda each: each.review.due <= operator.now, plan.candidates())
    return Listing("candidates", _told(due, sums), sums.told)


def _told(candidates: Iterator[Candidate], sums: _Sums) -> Iterator[Entry]:
    for candidate in candidates:
        sums.add(candidate)
        yield candidate.document(), _line(candidate)


def _line(candidate: Candidate) -> str:
    review = candidate.review
    where = harmless(candidate.repository)
    return f"{candidate.fate}: {review.kind} {review.digest} of {where}: {candidate.reason}"


def _ending_line(ending: Ending) -> str:
    where = f" of {harmless(ending.repository)}" if ending.repository else ""
    return f"{Fate.LATER}: {ending.what} {harmless(ending.name)}{where}: {ending.reason} {ending.when:%Y-%m-%d %H:%M}"


def _ending_document(ending: Ending) -> dict[str, object]:
    return {
        "fate": Fate.LATER,
        "kind": ending.what,
        "digest": None,
        "name": ending.name,
        "repository": ending.repository,
        "reason": ending.reason,
        "when": ending.when.isoformat(),
        "frees": ending.bytes,
    }


def _status_lines(status: CollectorStatus, now: datetime, interval: str) -> list[str]:
    return [
        f"paused: {harmless(status.paused)}" if status.paused else "not paused",
        f"{counted(status.candidates.count, 'candidate')} waiting, {status.due} of them due",
        _waiting_line("object", " that nobody names", status.objects, "the first goes"),
        _waiting_line("upload session", " open", status.sessions, "the first expires"),
        _next_line(status, now, interval),
        *([] if status.last else ["nothing has gone yet"]),
    ]


def _waiting_line(noun: str, how: str, waiting: Waiting, first: str) -> str:
    when = f", {first} {waiting.first:%Y-%m-%d %H:%M}" if waiting.first else ""
    return f"{counted(waiting.count, noun)}{how}, {in_words(waiting.bytes)}{when}"


def _next_line(status: CollectorStatus, now: datetime, interval: str) -> str:
    if status.is_wanted:
        return "a round was asked for"
    if status.following is None:
        return "next: nothing waits"
    if status.following <= now:
        return f"next: with the next round, of which there is one every {interval}"
    return f"next: {status.following:%Y-%m-%d %H:%M}, or up to {interval} later"


def _run_line(run: CollectorRun) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in run.counts.items() if count) or "nothing"
    return f"{run.kind}: {run.ended:%Y-%m-%d %H:%M:%S}, in {(run.ended - run.began).total_seconds():.1f} s: {counts}"
