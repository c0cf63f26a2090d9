"""A stranger's text, for a row, a log or a terminal: what would move a cursor or begin a line is spelt out."""

from __future__ import annotations

from typing import Final

_CUT: Final = "…"


def harmless(text: str) -> str:
    """As it is; quoted, and all of it in ASCII, where a terminal would obey a part of it."""
    return text if text.isprintable() else ascii(text)


def printable(text: str, most: int) -> str:
    """At most so many characters, each of them to be seen; what was cut off ends in an ellipsis."""
    shown = text if text.isprintable() else "".join(map(_shown, text[: most + 1]))
    return shown if len(shown) <= most else shown[: most - 1] + _CUT


def _shown(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
