"""What is typed for robots, tokens, grants and rules: times, how long something is good for, and rights in words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import click

from registry.core.granting import fit_actions, fit_pattern
from registry.core.refusals import Unfit
from registry.core.rights import Grant
from registry.kinds import DURATION

NEVER: Final = "never"
LIFETIME: Final = "90d"
_LONGEST: Final = timedelta(days=36500)


class Span(click.ParamType[timedelta]):
    """A duration, and not none."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:  # noqa: ANN401  click's own
        """As settings are written."""
        try:
            span = DURATION.parse(value)
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)
        if not timedelta() < span <= _LONGEST:
            self.fail(f"not between 0 and {_LONGEST.days}d: {value!r}", param, ctx)
        return span


class Lifetime(click.ParamType[timedelta | None]):
    """A duration from now on; None for what never ends."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta | None:  # noqa: ANN401  click's own
        """As settings are written."""
        return None if value == NEVER else Span().convert(value, param, ctx)


expires_option = click.option(
    "--expires", type=Lifetime(), metavar="DURATION", default=LIFETIME, show_default=True,
    help=f"how long from now on, such as 12h, 30d or {NEVER}",
)  # fmt: skip


def parse_grants(lines: Iterable[str]) -> list[Grant]:
    """Each is words after commas, a space, a pattern: `pull,push team/**`. Raises: Unfit."""
    return [_parse_grant(line) for line in lines]


def _parse_grant(line: str) -> Grant:
    words, _, pattern = line.strip().partition(" ")
    if not pattern:
        raise Unfit(grant=line[:300], reason="actions and a pattern are needed, such as `pull team/**`")
    return Grant("", fit_pattern(pattern.strip()), fit_actions(words.split(",")))
