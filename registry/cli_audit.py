"""The verbs `entrepot audit …`: what happened, read, exported, and checked. None of them changes anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from registry.cli_options import config_option, load, settings_options
from registry.cli_people.answer import Answer, table
from registry.cli_people.operator import Operator, operates, operating
from registry.config import Settings
from registry.core.audit import FIRST, Event, Mark, Wanted, kept_since
from registry.core.audit_chain import Verified, links_of, walk
from registry.core.auditing import MOST_OF_A_PAGE
from registry.core.counts import counted
from registry.core.facts import Outcome
from registry.core.granting import fit_pattern
from registry.kinds import DURATION

BROKEN: Final = 1
CANNOT_RUN: Final = 2
_HEADS: Final = ("AT", "WHO", "FROM", "ACTION", "OUTCOME", "WHAT", "DETAIL")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_SHOWN_OF_A_DIGEST: Final = 19


class Instant(click.ParamType[datetime]):
    """A date, with a time or without, in UTC where it says nothing else; or how long ago."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401  click's own
        """2026-01-31, 2026-01-31T12:00+02:00, 90m."""
        try:
            at = datetime.fromisoformat(value)
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        except ValueError:
            pass
        try:
            return datetime.now(UTC) - DURATION.parse(value)
        except (OverflowError, ValueError):
            self.fail(
                f"neither a date, such as 2026-01-31T12:00, nor a duration ago, such as 90m: {value!r}", param, ctx
            )


class Hash(click.ParamType[bytes]):
    """That of a seal."""

    name = "hash"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:  # noqa: ANN401  click's own
        """64 hexadecimal digits."""
        if not _HASH.fullmatch(value):
            self.fail(f"not the hash of a seal, which has 64 hexadecimal digits: {value!r}", param, ctx)
        return bytes.fromhex(value)


_since = click.option("--since", type=Instant(), metavar="INSTANT", help="from then on: a date, or how long ago")
_until = click.option("--until", type=Instant(), metavar="INSTANT", help="before then")


@click.group()
def audit() -> None:
    """What happened: who did what, from where, and with which outcome."""


@audit.command("list")
@_since
@_until
@click.option("--who", default="", metavar="NAME", help="by this user or robot, under the name it had then")
@click.option("--action", default="", help="such as manifest.push, tag.set, sign-in")
@click.option("--repository", default="", metavar="PATTERN", help="of these repositories, as grants write them")
@click.option("--outcome", type=click.Choice([each.value for each in Outcome]), help="how it ended")
@click.option("--limit", type=click.IntRange(1, MOST_OF_A_PAGE), default=100, show_default=True, help="at most so many")
@click.option("--after", metavar="MARK", help="go on behind the page that ended so: `next` of --json")
@operates
def list_events(  # noqa: PLR0913  an option each
    operator: Operator,
    *,
    since: datetime | None,
    until: datetime | None,
    who: str,
    action: str,
    repository: str,
    outcome: str | None,
    limit: int,
    after: str | None,
) -> Answer:
    """List events, newest first."""
    pattern = fit_pattern(repository) if repository else None
    wanted = Wanted(since, until, who, action, pattern, Outcome(outcome) if outcome else None)
    events = operator.audit.page(after, limit, wanted)
    document = {
        "events": [each.document() for each in events],
        "next": str(Mark.behind(events[-1])) if len(events) == limit else None,
    }
    return Answer(document, table(_HEADS, map(_row, events)))


def _row(event: Event) -> tuple[str, ...]:
    at = event.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return at, event.who, event.address, event.action, event.outcome, _what(event), event.detail


def _what(event: Event) -> str:
    """`repository:tag`, `repository@digest` or both; else whom it was done to."""
    tag = f":{event.reference}" if event.reference and ":" not in event.reference else ""
    digest = f"@{str(event.digest)[:_SHOWN_OF_A_DIGEST]}…" if event.digest else ""
    return f"{event.repository}{tag}{digest}" or event.target


@audit.command()
@_since
@_until
@settings_options("data")
@config_option
def export(since: datetime | None, until: datetime | None, data: str | None, file: Path | None) -> None:
    """Write events and their seals as JSON lines.

    Each seal comes with all its events, so that `entrepot audit verify --export` can check them where the registry is
    not. Of a span, the seals come that hold an event of it.
    """
    with operating(load(file, {"data": data})) as operator:
        for line in operator.audit.export(Wanted(since, until)):
            click.echo(line, nl=False)


@audit.command()
@click.option("--head", type=Hash(), metavar="HASH", help="a hash that was noted earlier, and must be in the chain")
@click.option(
    "--export",
    "exported",
    type=click.File("rb"),
    metavar="FILE",
    help="check what was exported, from - for standard input, instead of the registry",
)
@settings_options("audit_keep", "data")
@config_option
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def verify(
    *,
    head: bytes | None,
    exported: Iterator[bytes] | None,
    audit_keep: str | None,
    data: str | None,
    file: Path | None,
    as_json: bool,
) -> None:
    """Check that no sealed event was changed, added or removed.

    Whether the end of the chain was cut off can only be told by who noted a hash elsewhere: note the one that is
    printed, and give it to --head the next time.

    The exit status is 0 when everything holds, 1 when something does not, and 2 when it could not be found out.
    """
    with _refusing():
        settings = load(file, {"audit_keep": audit_keep, "data": data})
        verified = _in_registry(settings, head) if exported is None else _in_export(settings, exported, head)
    Answer(_document(verified), _told(verified), 0 if verified.holds else BROKEN).tell(as_json=as_json)
    raise SystemExit(0 if verified.holds else BROKEN)


def _in_registry(settings: Settings, head: bytes | None) -> Verified:
    with operating(settings) as operator:
        return operator.audit.verify(settings.audit_keep, head)


def _in_export(settings: Settings, lines: Iterator[bytes], head: bytes | None) -> Verified:
    keep_since = kept_since(datetime.now(UTC), settings.audit_keep)
    # It may begin anywhere in the chain.
    return walk(links_of(lines), previous=None, keep_since=keep_since, noted=head)


@contextmanager
def _refusing() -> Iterator[None]:
    """What the other verbs end with 1 is 2 here, where 1 says that something is wrong with the log."""
    try:
        yield
    except SystemExit as end:
        raise SystemExit(CANNOT_RUN if end.code else 0) from None


def _document(verified: Verified) -> dict[str, object]:
    flaw = verified.flaw
    return {
        "holds": verified.holds,
        "seals": verified.seals,
        "events": verified.events,
        "emptied": verified.emptied,
        "unsealed": verified.unsealed,
        "head": verified.head.hex(),
        "has_noted": verified.has_noted,
        "flaw": None if flaw is None else {"seal": flaw.seal, "reason": flaw.reason},
    }


def _told(verified: Verified) -> list[str]:
    lines = [f"looked at {counted(verified.seals, 'seal')} over {counted(verified.events, 'event')}"]
    lines += (
        [f"{counted(verified.emptied, 'old seal')} among them, whose events were removed"] if verified.emptied else []
    )
    lines += [f"{counted(verified.unsealed, 'event')} without a seal yet"] if verified.unsealed else []
    if verified.flaw is not None:
        lines.append(f"broken at seal {verified.flaw.seal}: {verified.flaw.reason}")
    elif not verified.has_noted:
        lines.append("the hash that was noted is not in the chain: its end was cut off, or it was made anew")
    elif verified.head != FIRST:
        lines.append(f"the last hash, to be noted elsewhere: {verified.head.hex()}")
    return lines
