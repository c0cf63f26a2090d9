"""A client as its user runs it: a command line, what it printed, how it ended."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

PATIENCE = 120.0


@dataclass(frozen=True)
class Outcome:
    """What a finished command said; `text` is both streams, because clients differ in which one they speak on."""

    arguments: tuple[str, ...]
    code: int
    output: str
    complaints: str

    @property
    def text(self) -> str:
        return self.output + self.complaints

    def __str__(self) -> str:
        return f"$ {' '.join(self.arguments)}\n{self.text}[exit {self.code}]"


@dataclass(frozen=True)
class Command:
    """A program with its fixed arguments, run in an environment that knows nothing of the user's own configuration.

    Calling it expects success; `refused` expects failure. Both return what was said.
    """

    prefix: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, stdin: bytes | None = None) -> Outcome:
        outcome = self.run(*arguments, stdin=stdin)
        assert outcome.code == 0, f"the command was to succeed:\n{outcome}"
        return outcome

    def refused(self, *arguments: str, stdin: bytes | None = None) -> Outcome:
        outcome = self.run(*arguments, stdin=stdin)
        assert outcome.code != 0, f"the command was to fail:\n{outcome}"
        return outcome

    def run(self, *arguments: str, stdin: bytes | None = None) -> Outcome:
        argv = (*self.prefix, *arguments)
        done = subprocess.run(
            argv,
            input=b"" if stdin is None else stdin,
            capture_output=True,
            timeout=PATIENCE,
            env=bare_environment(self.environment),
            check=False,
        )
        return Outcome(
            argv, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )


def bare_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The path and a language, plus `extra`: no proxies, no credentials, no home of the person at the machine."""
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **extra}
