"""Where somebody goes on after signing in: a path of ours, whatever the link that led here says."""

from __future__ import annotations

import re
from typing import Final

HOME: Final = "/account"
# `//host` and `/\host` are addresses elsewhere to a browser, which also strips tabs and line breaks before it reads.
_LOCAL: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}")


def destination(text: str | None) -> str:
    """The path, if it is one of this host; the account otherwise."""
    return text if text and _LOCAL.fullmatch(text) else HOME
