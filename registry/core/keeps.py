"""What a rule of retention keeps, of the tags that it looks at; and what becomes of manifests without any.

A tag stays if one of these keeps it:

    last           it is among so many that were pushed last
    pushed_within  it was pushed within this time; so was every tag of a manifest that was
    pulled_within  the manifest that it points to was pulled within this time, by whatever tag or by its digest
    like           one of these patterns matches it
    minors         it is the newest patch of one of so many minor versions (`core/versions`)

A manifest that a rule has left without any tag goes too, unless `keeps_manifests`. With `untagged_after`, so does one
that has been without a tag for so long, however that came.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from registry.core.tag_patterns import NO_TAGS, TagPatterns

MOST: Final = 100_000
LONGEST: Final = timedelta(days=36500)
_UNITS: Final = (
    (timedelta(days=1), "d"),
    (timedelta(hours=1), "h"),
    (timedelta(minutes=1), "m"),
    (timedelta(seconds=1), "s"),
)


class KeepsInvalid(ValueError):
    """No rule can say this; the message says why."""


@dataclass(frozen=True, slots=True)
class Keeps:
    """Each part may be left out. Raises: KeepsInvalid."""

    last: int | None = None
    pushed_within: timedelta | None = None
    pulled_within: timedelta | None = None
    like: TagPatterns = NO_TAGS
    minors: int | None = None
    untagged_after: timedelta | None = None
    keeps_manifests: bool = False

    def __post_init__(self) -> None:
        for count in (self.last, self.minors):
            if count is not None and not 1 <= count <= MOST:
                raise KeepsInvalid(f"a number from 1 to {MOST} is needed, not {count}")
        for span in (self.pushed_within, self.pulled_within, self.untagged_after):
            if span is not None and not timedelta(0) < span <= LONGEST:
                raise KeepsInvalid(f"a time up to {LONGEST.days} days is needed, not {span}")

    @property
    def speaks_of_tags(self) -> bool:
        """Whether it keeps some tags; a rule that keeps none looks at none, instead of taking all."""
        return any(each for each in (self.last, self.pushed_within, self.pulled_within, self.like, self.minors))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `text`. Raises: KeepsInvalid, ValueError."""
        said = json.loads(text)
        return cls(
            said.get("last"),
            _span(said.get("pushed_within")),
            _span(said.get("pulled_within")),
            TagPatterns.parse(said.get("like", "")),
            said.get("minors"),
            _span(said.get("untagged_after")),
            keeps_manifests=bool(said.get("keeps_manifests")),
        )

    @property
    def said(self) -> dict[str, object]:
        """What is not left out, for a document; times in seconds."""
        said = {
            "last": self.last,
            "pushed_within": _seconds(self.pushed_within),
            "pulled_within": _seconds(self.pulled_within),
            "like": self.like.text,
            "minors": self.minors,
            "untagged_after": _seconds(self.untagged_after),
            "keeps_manifests": self.keeps_manifests,
        }
        return {name: value for name, value in said.items() if value}

    @property
    def text(self) -> str:
        """As a database keeps it: JSON."""
        return json.dumps(self.said, sort_keys=True)

    def __str__(self) -> str:
        parts = (
            self.last and f"the last {self.last} pushed",
            self.pushed_within and f"those pushed within {told(self.pushed_within)}",
            self.pulled_within and f"those pulled within {told(self.pulled_within)}",
            self.like and f"those like {self.like}",
            self.minors and f"the newest patch of the last {self.minors} minor versions",
            self.keeps_manifests and "every manifest",
            self.untagged_after and f"manifests without a tag for {told(self.untagged_after)}",
        )
        return ", ".join(each for each in parts if each) or "nothing"


NOTHING: Final = Keeps()


def told(span: timedelta) -> str:
    """In the largest unit that it has a whole number of: `90d`, `36h`."""
    whole = (f"{span // unit}{name}" for unit, name in _UNITS if not span % unit)
    return next(whole, f"{span.total_seconds():g}s")


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _seconds(span: timedelta | None) -> float | None:
    if span is None:
        return None
    seconds = span.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds
