"""What a transaction can be asked and told of projects, of what they may have, and of what is reserved (design §4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from registry.core.facts import Caller, Repository, UploadSession
from registry.core.quota import Allowance, Limit, Project, Resource, Scope
from registry.core.usage_parts import ExplainedUsage
from registry.oci.digest import Digest


class Reservations(Protocol):
    """What sessions have reserved of their projects (design §4)."""

    def find(self, session: UploadSession) -> int:
        """In bytes, all that it may come to."""
        ...

    def put(self, session: UploadSession, size: int) -> None:
        """In place of what it had reserved; the transaction must hold the session."""
        ...


class Quotas(Protocol):
    """What projects may have. Whatever a transaction adds to one is looked at when its work is done."""

    def charges(self, repository: Repository, digest: Digest, size: int) -> bool:
        """Whether the project has the blob, which has this size, so that more of it costs nothing."""
        ...

    def room(self, repository: Repository, wanted: int) -> int | None:
        """How many bytes more fit; None where nothing bounds them. No others come in before the transaction ends.

        Where less than `wanted` would fit, the project's expired sessions end first.
        """
        ...


class Allowances(Protocol):
    """What is set: for a holder by its row's id, or (0) for all of its scope that have nothing of their own."""

    def find(self, scope: Scope, holder: int) -> Allowance:
        """What is set for it; nobody changes that before the transaction ends."""
        ...

    def put(self, scope: Scope, holder: int, limits: Mapping[Resource, Limit], by: Caller) -> None:
        """In place of what was set."""
        ...

    def used(self, scope: Scope, holder: int) -> Mapping[Resource, int]:
        """What it has of everything."""
        ...


class Explained(Protocol):
    """Why a project is charged for what it is charged for."""

    def usage(self, project: Project, since: datetime) -> ExplainedUsage:
        """All of it as of one moment; what was deleted `since` can be restored."""
        ...

    def repositories(self, project: str) -> Sequence[Repository]:
        """Those that are not deleted, by their names."""
        ...


class Projects(Protocol):
    """Who is charged."""

    def find(self, name: str) -> Project | None:
        """Its owner is nobody else's before the transaction ends."""
        ...

    def page(self, last: str, limit: int, words: str = "") -> Sequence[Project]:
        """By their names, after `last`; those with `words` in them."""
        ...

    def own(self, project: Project, owner: int | None) -> None:
        """It counts as what this user has, from now on."""
        ...
