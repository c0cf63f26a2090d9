"""Where a user's password comes from: from a terminal, a pipe or us; never from the command line, which others see."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import wraps
from typing import Any, Final

import click

from registry.cli_options import refuse
from registry.cli_people.operator import USAGE


class Way(StrEnum):
    """By which option; without any, a terminal is asked."""

    STDIN = "--password-stdin"
    GENERATE = "--generate"
    HASH = "--hash-stdin"
    NONE = "--no-password"


_HELP: Final = {
    Way.STDIN: "read the password from the first line of standard input",
    Way.GENERATE: "make a password, and print it this once",
    Way.HASH: "read a bcrypt hash, as htpasswd -B writes it, from the first line of standard input",
    Way.NONE: "have none: nobody signs in by a password",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be kept, None for no password; and the password, where we made it."""

    hashed: str | None
    generated: str | None = field(default=None, repr=False)

    @property
    def lines(self) -> list[str]:
        """What people are shown of it."""
        return [f"  password, shown this once: {self.generated}"] if self.generated else []


def password_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options for the ways, of which one is handed on as `way`."""

    @wraps(command)
    def run(*typed: Any, **options: Any) -> None:  # noqa: ANN401  click's own
        given = [way for way in Way if options.pop(way.name.lower())]
        if len(given) > 1:
            refuse([f"{' and '.join(given)} do not go together"], USAGE)
        if not given and not sys.stdin.isatty():
            refuse([f"there is no terminal to ask for a password: give one of {', '.join(Way)}"], USAGE)
        command(*typed, way=given[0] if given else None, **options)

    for way in reversed(Way):
        run = click.option(way.value, way.name.lower(), is_flag=True, help=_HELP[way])(run)
    return run


def choose(way: Way | None) -> Chosen:
    """Asked, read or made, and hashed. What cannot be used ends the command."""
    if way is Way.NONE:
        return Chosen(None)
    if way is Way.HASH:
        return Chosen(_given_hash())
    from registry.auth.passwords import generate

    if way is Way.GENERATE:
        password = generate()
        return Chosen(_hash(password), password)
    return Chosen(_hash(_line() if way is Way.STDIN else _asked()))


def _asked() -> str:
    return str(click.prompt("password", hide_input=True, confirmation_prompt="once more", err=True))


def _line() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def _hash(password: str) -> str:
    from registry.auth.passwords import Passwords

    try:
        return Passwords().hash_chosen(password)
    except ValueError as wrong:
        refuse([str(wrong)], USAGE)


def _given_hash() -> str:
    from registry.auth.htpasswd import fit_hash
    from registry.auth.passwords import Passwords, UnusablePasswordHash

    try:
        return fit_hash(_line(), Passwords())
    except UnusablePasswordHash as wrong:
        refuse([str(wrong)], USAGE)
