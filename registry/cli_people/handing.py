"""A secret of our own making, handed over once: nobody can be shown it again, for only its hash is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from registry.cli_people.operator import Operator
from registry.core.credentials import Made
from registry.core.facts import CredentialKind


@dataclass(frozen=True, slots=True)
class Handed:
    """The secret as its owner gets it, and `made`, as it is kept."""

    secret: str = field(repr=False)
    made: Made

    def lines(self, operator: Operator, name: str) -> list[str]:
        """The secret, and what docker is told."""
        return [f"  secret, shown this once: {self.secret}", f"  {operator.login(name)}"]

    def document(self, operator: Operator, name: str) -> dict[str, object]:
        """The same for programs."""
        return {"secret": self.secret, "login": operator.login(name)}


def new_secret() -> Handed:
    """For a robot, or as a personal token."""
    from registry.auth.giving import made

    return Handed(*made(CredentialKind.TOKEN))
