"""The verb `entrepot fsck`: what it may do, how far it is, and what it found.

What is said meanwhile goes to standard error, the report to standard output, to be kept or read by a program.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from registry.cli_bars import watching
from registry.cli_options import config_option, load, prepare, refuse, saying_why, settings_options
from registry.kinds import DURATION

if TYPE_CHECKING:
    from registry.config import Settings
    from registry.core.fsck import Allowed
    from registry.core.fsck_facts import Places
    from registry.core.fsck_report import Report

A = TypeVar("A")
B = TypeVar("B")

LEFT: Final = 1
CANNOT_RUN: Final = 2


def _span(_context: click.Context, _parameter: click.Parameter, text: str | None) -> timedelta | None:
    try:
        return None if text is None else DURATION.parse(text)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong)) from None


@click.command("fsck")
@settings_options("data")
@config_option
@click.option("--read", is_flag=True, help="read every blob in the store too, and compare it with its digest")
@click.option(
    "--repair",
    is_flag=True,
    help="have damaged blobs pushed again, serve those again that are whole, and set contradicting rows right",
)
@click.option("--adopt", is_flag=True, help="read unknown objects, and make blobs of those that are wanted or new")
@click.option("--delete", is_flag=True, help="have the sweeper delete what is unknown, and was not adopted")
@click.option(
    "--grace",
    metavar="DURATION",
    callback=_span,
    help="what is younger is not unknown yet [default: 1h]",
)
@click.option("--resume-collector", is_flag=True, help="let a paused collector go on, even when something is left")
@click.option("--json", "as_json", is_flag=True, help="print the report as JSON")
def fsck_command(  # noqa: PLR0913  an option each
    *,
    data: str | None,
    file: Path | None,
    read: bool,
    repair: bool,
    adopt: bool,
    delete: bool,
    grace: timedelta | None,
    resume_collector: bool,
    as_json: bool,
) -> None:
    """Compare the store with the database, both ways.

    It may run while the registry is served. Nothing is changed unless an option says so.
    The exit status is 0 when nothing is wrong any more, 1 when something is left, and 2 when it could not be found out.
    """
    settings = load(file, {"data": data})
    with _refusing():
        refuse_nothing(settings)
        from registry.core.fsck import GRACE, Allowed

        allowed = Allowed(
            repair=repair,
            adopt=adopt,
            delete=delete,
            read=read,
            grace=GRACE if grace is None else grace,
            sparse=settings.sparse,
            resume=resume_collector,
        )
        prepare(settings, is_err=True)
        with saying_why(str(settings.data)):
            report = _run(settings, allowed)
    click.echo(json.dumps(report.document(), indent=2) if as_json else "\n".join(told(report)))
    raise SystemExit(LEFT if report.left else 0)


def _run(settings: Settings, allowed: Allowed) -> Report:
    from registry import app
    from registry.core.fsck_run import Fsck
    from registry.storage.hashing import hashes

    with ExitStack() as stack:
        metadata, store = stack.enter_context(app.opened(settings))
        pool = ThreadPoolExecutor(settings.threads, "fsck")
        stack.callback(pool.shutdown, cancel_futures=True)

        def many(work: Callable[[A], B], each: Iterable[A], /) -> Iterator[B]:
            return pool.map(work, each)

        watcher = stack.enter_context(watching())
        return Fsck(metadata, store, app.inventory(settings), hashes(), allowed, many, watcher).run()


def told(report: Report) -> list[str]:
    """The report for people: everything that was found, then the sums."""
    from registry.core.fsck import Outcome
    from registry.core.fsck_report import Looked

    sums = dict.fromkeys(Outcome, 0)
    for (_, outcome), count in report.counts.items():
        sums[outcome] += count
    found = ", ".join(f"{count} {outcome}" for outcome, count in sums.items())
    looked = ", ".join(f"{name} {getattr(report.looked, name)}" for name in Looked.__slots__)
    return [
        *finding_lines(report),
        f"looked at: {looked}",
        *(["the collector goes on from now"] if report.is_released else []),
        *([f"the collector is paused: {report.paused}"] if report.paused else []),
        f"found: {found}" if report.counts else "nothing is wrong",
    ]


def finding_lines(report: Report) -> list[str]:
    """Everything that was found, as far as it is told, each with whom it hits."""
    from registry.core.printable import harmless

    lines = []
    for finding, outcome in report.found:
        lines.append(f"{outcome}: {finding.what} {harmless(finding.name)}: {finding.reason}")
        lines += place_lines(finding.places)
    return [*lines, *([f"and {report.untold} more"] if report.untold else [])]


def place_lines(places: Places) -> list[str]:
    """Whom it hits; nothing where that is nobody."""
    hit = [*places.repositories, *places.tags, *(["and more"] if places.more else [])]
    return [f"  in {', '.join(hit)}"] if hit else []


@contextmanager
def _refusing() -> Iterator[None]:
    """What the other verbs end with 1 is 2 here, where 1 says that something is wrong with the registry."""
    try:
        yield
    except SystemExit as end:
        raise SystemExit(CANNOT_RUN if end.code else 0) from None


def refuse_nothing(settings: Settings) -> None:
    """A mistyped folder would be made, and be in the best order; in a mistyped bucket every blob would be missing."""
    from registry import app

    if settings.database is None and not (settings.data / "registry.db").exists():
        refuse([f"{settings.data} holds no registry"], CANNOT_RUN)
    with saying_why(str(settings.data)):
        if not app.has_layout(settings):
            refuse(
                ["no registry has ever used this store: if it is the right one, start the registry first"], CANNOT_RUN
            )
