"""The verb `entrepot user import`: the users of an htpasswd file, each whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click

from registry.cli_options import refuse
from registry.cli_people.answer import Answer
from registry.cli_people.operator import FAILED, Operator, operates
from registry.core.printable import harmless
from registry.core.refusals import NameTaken, Unfit

SOME_REFUSED: Final = 3
_LARGEST_FILE: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that made no user."""

    line: int
    name: str
    reason: str

    def __str__(self) -> str:
        who = f", {harmless(self.name)}" if self.name else ""
        return f"refused: line {self.line}{who}: {self.reason}"


@click.command("import")
@click.argument("htpasswd", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@operates
def import_users(operator: Operator, htpasswd: Path) -> Answer:
    """Add the users of an htpasswd FILE.

    Their passwords are taken as bcrypt hashes, as htpasswd -B writes them, and kept better from their first use on.
    A line that cannot be used is told with its reason, and makes no user.
    The exit status is 0 when every line made a user, and 3 when some were refused.
    """
    outcomes = list(_outcomes(operator, _read(htpasswd)))
    refused = [each for each in outcomes if isinstance(each, Refused)]
    added = [each for each in outcomes if isinstance(each, str)]
    document = {"added": added, "refused": [asdict(each) for each in refused]}
    lines = [*map(str, refused), f"users: {len(added)} added, {len(refused)} refused"]
    return Answer(document, lines, SOME_REFUSED if refused else 0)


def _read(file: Path) -> str:
    if file.stat().st_size > _LARGEST_FILE:
        refuse([f"{file}: larger than any htpasswd file"], FAILED)
    return file.read_text(encoding="utf-8", errors="replace")


def _outcomes(operator: Operator, text: str) -> Iterator[str | Refused]:
    """For each line the user that it made, with its password in one transaction, or why it made none."""
    from registry.auth.htpasswd import Entry, entries, fit_hash
    from registry.auth.passwords import Passwords, UnusablePasswordHash

    passwords = Passwords()

    def add(entry: Entry) -> str:
        hashed = fit_hash(entry.hashed, passwords)
        return operator.people.add_user(entry.name, operator.caller, password=hashed).name

    for entry in entries(text):
        try:
            yield add(entry)
        except UnusablePasswordHash as wrong:
            yield Refused(entry.line, entry.name, str(wrong))
        except (NameTaken, Unfit) as wrong:
            yield Refused(entry.line, entry.name, str(wrong.detail.get("reason", wrong.message)))
