"""What the documents must say about settings, made from the table that the program itself uses."""

from __future__ import annotations

import json
from typing import Any

from registry.config import Setting, Settings


def readme_table() -> str:
    """The table of settings as README.md has it."""
    rows = [f"| `{name}` | {_code(row.default)} | {_sentence(row)} |" for name, row in Settings.TABLE.items()]
    return "\n".join(["| setting | default | what it is |", "|---|---|---|", *rows])


def annotated_setting(name: str) -> str:
    """A setting as deploy/settings.toml has it: what it is, and its default as a comment."""
    row = Settings.TABLE[name]
    value = row.default if row.kind.bare else json.dumps(row.default)
    return f"# {_sentence(row).replace('`', '')}\n#{name} = {value}"


def _sentence(row: Setting[Any]) -> str:
    bounds = [f"at least {row.least}" if row.least else "", f"at most {row.most}" if row.most else ""]
    told = ", ".join(bound for bound in bounds if bound and bound not in {"at least 0", "at least 1"})
    return f"{row.meaning} ({row.kind.name}{'; ' + told if told else ''})"


def _code(default: str) -> str:
    return f"`{default}`" if default else ""
