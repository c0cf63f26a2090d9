"""A personal token as somebody asks for one with a form: what it is for, how long, and for how much at the most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from registry.core.patterns import EVERYTHING, Pattern, PatternInvalid
from registry.core.rights import PRESETS, Grant
from registry.oci.errors import RegistryError

LIFETIMES: Final[Mapping[str, str]] = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "a year"}
"""In days. Nothing lasts for ever that is pasted into terminals; what runs by itself is a robot's."""
USUAL_LIFETIME: Final = "30"
ALL: Final = "all"
USES: Final[Mapping[str, str]] = {
    ALL: "everything that I may do",
    "reader": "pull only",
    "writer": "pull and push",
    "maintainer": "pull, push and delete",
}
_LONGEST_LABEL: Final = 100


class WishInvalid(RegistryError):
    """A token that cannot be made so; `detail` says why."""

    status, message = 422, "no token was made"


@dataclass(frozen=True, slots=True)
class TokenWish:
    """To hold one is to know that it can be made."""

    label: str
    lifetime: timedelta
    limits: tuple[Grant, ...]

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> Self:
        """Of a form's fields. Raises: WishInvalid."""
        label, days, use = fields.get("label", "").strip(), fields.get("lifetime", ""), fields.get("use", ALL)
        if not 0 < len(label) <= _LONGEST_LABEL or not label.isprintable():
            raise WishInvalid(reason=f"say in 1 to {_LONGEST_LABEL} characters what it is for")
        if days not in LIFETIMES or use not in USES:
            raise WishInvalid(reason="choose from what the page offers")
        return cls(label, timedelta(days=int(days)), _limits(use, fields.get("pattern", "").strip()))


def _limits(use: str, text: str) -> tuple[Grant, ...]:
    try:
        pattern = Pattern.parse(text) if text else EVERYTHING
    except PatternInvalid as error:
        raise WishInvalid(reason=str(error)) from None
    if use == ALL and pattern == EVERYTHING:
        return ()
    return (Grant("", pattern, PRESETS["owner" if use == ALL else use]),)
