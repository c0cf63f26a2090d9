"""The lines of an htpasswd file, of whose hashes we take bcrypt alone.

alice:$2y$05$…    taken, and hashed anew at alice's first login
bob:$apr1$…       refused, as are SHA-1, crypt and plain text: each is guessed by the million
# whatever        left out, as are empty lines
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from registry.auth.passwords import Passwords, UnusablePasswordHash


@dataclass(frozen=True, slots=True)
class Entry:
    """A line, by its number from 1; without a colon it has no name, and nothing of it is to be shown."""

    line: int
    name: str
    hashed: str = field(repr=False)


def entries(text: str) -> Iterator[Entry]:
    """Every line that says something, whether it can be used or not."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            name, colon, hashed = line.strip().partition(":")
            yield Entry(number, name, hashed) if colon else Entry(number, "", "")


def fit_hash(hashed: str, passwords: Passwords) -> str:
    """The hash, if passwords can be compared with it. Raises: UnusablePasswordHash."""
    if not hashed.startswith("$2"):
        raise UnusablePasswordHash("not a bcrypt hash")
    passwords.check(hashed)
    return hashed
