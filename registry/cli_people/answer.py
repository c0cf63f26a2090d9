"""What a verb says: one document for programs, or lines for people. A terminal obeys nothing that others wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import click

from registry.core.printable import harmless


@dataclass(frozen=True, slots=True)
class Answer:
    """Either is the whole of it; `status` is how the command ends."""

    document: object
    lines: Sequence[str]
    status: int = 0

    def tell(self, *, as_json: bool) -> None:
        """On standard output."""
        click.echo(json.dumps(self.document, indent=2) if as_json else "\n".join(self.lines))


@dataclass(frozen=True, slots=True)
class Listing:
    """Told entry by entry, however many there are: each as a document and as a line, and what they come to as both."""

    name: str
    entries: Iterable[tuple[object, str]]
    sums: Callable[[], tuple[Mapping[str, object], str]]
    status: int = 0

    def tell(self, *, as_json: bool) -> None:
        """On standard output, each when it is found."""
        if as_json:
            click.echo(f"{{{json.dumps(self.name)}: [", nl=False)
            for number, (document, _) in enumerate(self.entries):
                click.echo(f"{',' if number else ''}\n  {json.dumps(document)}", nl=False)
            click.echo("\n], " + json.dumps(self.sums()[0])[1:])
            return
        for _, line in self.entries:
            click.echo(line)
        click.echo(self.sums()[1])


Told = Answer | Listing


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns as wide as they must be; one line for no rows."""
    cells = [[harmless(cell) for cell in row] for row in rows]
    if not cells:
        return ["none"]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *cells)
    ]


def pairs(facts: Mapping[str, str]) -> list[str]:
    """A line for each fact that there is."""
    told = {name: harmless(value) for name, value in facts.items() if value}
    width = max(map(len, told), default=0)
    return [f"{name.ljust(width)}  {value}" for name, value in told.items()]


def section(title: str, lines: Iterable[str]) -> list[str]:
    """Lines below a title, after an empty one."""
    return ["", f"{title}:", *(f"  {line}" for line in lines)]
