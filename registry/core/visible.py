"""The repositories that somebody may pull, as a listing asks for them.

Names lie in order, and an index finds them by it: so a listing goes from stretch to stretch, and looks at no name that
lies outside. Within a stretch either every name is meant, or expressions say which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from registry.core.patterns import EVERYTHING, Pattern, Span, any_of


@dataclass(frozen=True, slots=True)
class Stretch:
    """Names of a span: those that match `allowed` and `within`, where they are given, and not `denied`.

    All three are regular expressions for whole names.
    """

    span: Span
    allowed: str | None = None
    denied: str | None = None
    within: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every name of the span is meant."""
        return self.allowed is None and self.denied is None and self.within is None

    def limited(self, limit: Stretch) -> Stretch | None:
        """What of it lies in a stretch that nothing is denied in; None for nothing."""
        span = Span(max(self.span.first, limit.span.first), min(self.span.end, limit.span.end))
        return replace(self, span=span, within=limit.allowed) if span.first < span.end else None


@dataclass(frozen=True, slots=True)
class Visible:
    """Stretches in order, without overlap."""

    stretches: Sequence[Stretch]

    @classmethod
    def of(cls, allowed: Iterable[Pattern], denied: Iterable[Pattern] = ()) -> Self:
        """What some pattern of the first matches, and none of the others: a denial wins."""
        taken = tuple(denied)
        return cls(tuple(_stretch(span, patterns, taken) for span, patterns in _together(allowed)))

    def limited(self, limits: Visible) -> Visible:
        """What of it a credential's limits leave, in which nothing is denied."""
        met = (ours.limited(theirs) for ours in self.stretches for theirs in limits.stretches)
        return Visible(tuple(each for each in met if each is not None))


ALL_VISIBLE: Final = Visible((Stretch(EVERYTHING.span),))


def _together(patterns: Iterable[Pattern]) -> Iterator[tuple[Span, Sequence[Pattern]]]:
    """Patterns whose spans overlap, with the span of all of them; in order."""
    span, gathered = Span("", ""), list[Pattern]()
    for each in sorted(set(patterns), key=lambda pattern: pattern.span.first):
        if gathered and each.span.first >= span.end:
            yield span, gathered
            gathered = []
        span = Span(span.first, max(span.end, each.span.end)) if gathered else each.span
        gathered.append(each)
    if gathered:
        yield span, gathered


def _stretch(span: Span, patterns: Sequence[Pattern], denied: Sequence[Pattern]) -> Stretch:
    is_filled = any(each.fills_its_span and each.span == span for each in patterns)
    meeting = [each for each in denied if each.span.first < span.end and span.first < each.span.end]
    return Stretch(span, None if is_filled else any_of(patterns), any_of(meeting) if meeting else None)
