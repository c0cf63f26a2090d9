"""Versions, as tags write them, and the newest patches of the last minor versions.

[v]MAJOR.MINOR.PATCH[-PRERELEASE][-VARIANT]      1.4.2   v1.4.2   1.5.0-rc.1   1.4.2-alpine   3.12.0-rc1-slim-bookworm

What SemVer calls a prerelease is one here if it begins with a digit or a word for it (alpha, beta, rc …); any other
suffix is a variant, and versions are compared with those of their own variant only. Numbers within words count as
numbers: rc10 comes after rc9. A tag such as `1.4` or `latest` is no version, but a name that moves along with them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Self

from registry.oci.names import Tag

_VERSION: Final = re.compile(r"v?([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})(?:-(.+))?")
_LETTERS: Final = re.compile(r"[a-z]*")
# What follows a prerelease is a variant where it begins with a letter: `rc1-slim`, but not `rc-1`.
_VARIANT: Final = re.compile(r"-(?=[A-Za-z])")
_RUNS: Final = re.compile(r"([0-9]+)|([^0-9.-]+)")
_UNFINISHED: Final = frozenset(
    {"", "a", "alpha", "b", "beta", "canary", "dev", "m", "milestone", "next", "nightly", "pre", "preview", "rc"}
    | {"snapshot"}
)
_AFTER_ALL_PRERELEASES: Final = ((2, 0, ""),)
Prerelease = tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Ordered within its variant; a prerelease comes before what it leads to."""

    variant: str
    major: int
    minor: int
    patch: int
    prerelease: Prerelease

    @classmethod
    def find(cls, tag: Tag) -> Self | None:
        """The version that a tag names."""
        found = _VERSION.fullmatch(tag.text)
        if found is None:
            return None
        prerelease, variant = _apart(found[4] or "")
        return cls(variant, int(found[1]), int(found[2]), int(found[3]), prerelease)

    @property
    def line(self) -> tuple[int, int]:
        """Major and minor: patches of one line are alike."""
        return self.major, self.minor

    @property
    def is_released(self) -> bool:
        """Whether it is no prerelease."""
        return self.prerelease == _AFTER_ALL_PRERELEASES


def newest_patches(tags: Iterable[Tag], minors: int) -> set[Tag]:
    """Of each variant, the newest patch of the last so many minor versions, counted over all majors.

    Prereleases take nobody's place: of those that lead beyond the newest release, the newest of each line is among
    them too, and of no more lines. Several tags of one version are one.
    """
    versions = dict(sorted(_named(tags).items(), key=lambda each: each[0]))
    kept: list[Version] = []
    for _, some in groupby(versions, key=lambda version: version.variant):
        of_variant = list(some)
        released = [each for each in of_variant if each.is_released]
        ahead = [each for each in of_variant if not each.is_released and not (released and each < released[-1])]
        kept += _newest_of_lines(released, minors) + _newest_of_lines(ahead, minors)
    return {tag for version in kept for tag in versions[version]}


def _named(tags: Iterable[Tag]) -> Mapping[Version, list[Tag]]:
    named: dict[Version, list[Tag]] = defaultdict(list)
    for tag in tags:
        version = Version.find(tag)
        if version is not None:
            named[version].append(tag)
    return named


def _newest_of_lines(ascending: list[Version], lines: int) -> list[Version]:
    newest = {version.line: version for version in ascending}
    return [newest[line] for line in sorted(newest)[-lines:]]


def _apart(suffix: str) -> tuple[Prerelease, str]:
    """A suffix as its prerelease, to be compared, and its variant."""
    if not suffix:
        return _AFTER_ALL_PRERELEASES, ""
    lower = suffix.lower()
    begins = _LETTERS.match(lower)
    if begins is None or begins[0] not in _UNFINISHED:
        return _AFTER_ALL_PRERELEASES, lower
    prerelease, *variant = _VARIANT.split(lower, maxsplit=1)
    return tuple(_run(*each) for each in _RUNS.findall(prerelease)), "".join(variant)


def _run(number: str, word: str) -> tuple[int, int, str]:
    # Numbers come before words (SemVer, 11).
    return (0, int(number), "") if number else (1, 0, word)
