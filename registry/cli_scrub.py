"""The verbs of `entrepot scrub`: everything is read again and compared with its digest, and what came of that."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import click

from registry.cli_bars import watching
from registry.cli_fsck import finding_lines, place_lines, refuse_nothing
from registry.cli_people.answer import Answer
from registry.cli_people.operator import Operator, every, operates
from registry.core.counts import counted
from registry.core.fsck import Outcome
from registry.core.scrub_facts import Damaged
from registry.core.scrub_report import LastPass, Scrubbed
from registry.core.scrub_status import ScrubService, ScrubStatus, mark_of
from registry.core.sizes import in_words
from registry.kinds import DURATION, SIZE
from registry.scrubbing import Rests

FOUND: Final = 1
_PAGE: Final = 500
_MOST_TOLD: Final = 1000


def _rate(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    try:
        rate = None if text is None else SIZE.parse(text)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong)) from None
    if rate == 0:
        raise click.BadParameter("at least a byte in a second is needed")
    return rate


@click.group()
def scrub() -> None:
    """Scrubbing: everything is read again and compared with its digest.

    A server does that by itself, at a bounded rate (scrub_every, scrub_rate).
    What is wrong is served no more, and heals with the next push of it.
    """


@scrub.command()
@click.option(
    "--rate", metavar="SIZE", callback=_rate, help="bytes read in a second, at the most [default: scrub_rate]"
)
@click.option("--all", "everything", is_flag=True, help="also what was verified lately")
@operates
def run(operator: Operator, rate: int | None, *, everything: bool) -> Answer:
    """Read now what is due, as a server does by itself.

    It may run while the registry is served. Stopped by Ctrl-C, or killed, the next run goes on where it was.
    The exit status is 0 when everything that was read is right, and 1 when something is damaged or could not be read.
    """
    scrubbed = _run(operator, rate, everything=everything)
    return Answer(scrubbed.document(), [*finding_lines(scrubbed.report), *_sums(scrubbed)], _status_of(scrubbed))


def _run(operator: Operator, rate: int | None, *, everything: bool) -> Scrubbed:
    from registry import app

    settings, metadata = operator.settings, operator.metadata
    # In a store that is not this registry's, everything would be damaged.
    refuse_nothing(settings)
    app.match_instance(settings, metadata.observe(lambda tx: tx.settings.find("instance")) or "")
    with _stopping() as rests, watching() as watcher:
        scrubber = app.scrubber(settings, metadata, app.open_store(settings), rests, operator.caller)
        # Beside the server's own: where that is in the middle of something, it stays.
        scrubber = replace(scrubber, rate=rate or scrubber.rate, progress="scrub_run_progress")
        return scrubber.run(watcher, everything=everything)


@contextmanager
def _stopping() -> Iterator[Rests]:
    """Rests that an operator's signals end."""
    rests = Rests()
    former = {number: signal.signal(number, lambda *_: rests.end()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield rests
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _status_of(scrubbed: Scrubbed) -> int:
    return 0 if scrubbed.is_clean else FOUND


def _sums(scrubbed: Scrubbed) -> list[str]:
    looked, healed = scrubbed.report.looked, scrubbed.count(Outcome.REPAIRED)
    return [
        f"read: {_read(looked.objects, looked.contents, looked.bytes)}",
        *([f"{healed} are served again"] if healed else []),
        *([f"{scrubbed.unread} could not be read, and will be tried again"] if scrubbed.unread else []),
        *([f"damaged: {scrubbed.report.left}; push them again"] if scrubbed.report.left else []),
        *(["nothing is damaged"] if scrubbed.is_clean else []),
        *([] if scrubbed.is_whole else ["stopped: the next run goes on from here"]),
    ]


@scrub.command()
@operates
def status(operator: Operator) -> Answer:
    """Tell how much was verified lately, and what is damaged."""
    service = ScrubService(operator.metadata, operator.settings.scrub_every)
    told = service.status()
    damaged = list(itertools.islice(every(lambda last: service.damaged(last, _PAGE), mark_of), _MOST_TOLD))
    lines = [*_status_lines(told), *itertools.chain.from_iterable(map(_damage_lines, damaged))]
    more = told.sums.damaged_blobs + told.sums.damaged_manifests - len(damaged)
    document = told.document() | {"damaged": [each.document() for each in damaged]}
    return Answer(document, [*lines, *([f"and {more} more"] if more > 0 else [])])


def _status_lines(status: ScrubStatus) -> list[str]:
    sums, span = status.sums, DURATION.show(status.every)
    off = "nothing is read again by itself: scrub_every is 0s"
    verified = f"verified within {span}: {sums.verified} ({in_words(sums.verified_bytes)})"
    return [
        f"everything is read again every {span}" if status.every else off,
        f"objects: {sums.objects} ({in_words(sums.bytes)}), {verified}",
        *([f"the longest ago: {sums.oldest.isoformat()}"] if sums.oldest else []),
        f"manifests and small blobs: {sums.contents}, verified: {status.contents_verified}",
        *([f"reading {status.reading.key}, {in_words(status.reading.offset)} so far"] if status.reading else []),
        *([f"unreadable, and tried again: {status.doubted}"] if status.doubted else []),
        _last_line(status.last),
        f"damaged: {counted(sums.damaged_blobs, 'blob')} and {counted(sums.damaged_manifests, 'manifest')}",
    ]


def _last_line(last: LastPass | None) -> str:
    if last is None:
        return "nothing was read yet"
    looked = _read(last.objects, last.contents, last.bytes)
    came = f"{last.damaged} damaged, {last.healed} healed, {last.unread} unread"
    return f"last: {looked}, until {last.ended.isoformat()}: {came}"


def _read(objects: int, contents: int, size: int) -> str:
    return f"{counted(objects, 'object')} and {counted(contents, 'content')}, {in_words(size)}"


def _damage_lines(damaged: Damaged) -> list[str]:
    what = f"{damaged.kind} {damaged.digest} ({in_words(damaged.size)})"
    return [f"{what}: not served since {damaged.since.isoformat()}; push it again", *place_lines(damaged.places)]
