"""What a transaction can be asked and told of the instance itself: its log, leases of background work, settings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from registry.core.facts import (
    Action,
    Caller,
    ContentKind,
    Outcome,
    Repository,
)
from registry.core.witness import Sight
from registry.oci.digest import Digest


class Journal(Protocol):
    """What happened, and what is to be looked at later."""

    def event(
        self,
        action: Action,
        repository: Repository,
        caller: Caller,
        digest: Digest | None = None,
        reference: str = "",
        detail: str = "",
    ) -> None: ...
    def note(
        self, action: Action, caller: Caller, *, target: str = "", outcome: Outcome = Outcome.DONE, detail: str = ""
    ) -> None:
        """The same of what is done to no repository: `target` is a principal's name, or what else it was done to."""
        ...

    def tell(self, sight: Sight, ago: timedelta, times: int) -> None:
        """What was seen outside of any transaction, so long ago and so often."""
        ...

    def review(self, repository: Repository, kind: ContentKind, digest: Digest, due: datetime) -> None:
        """Have the collector decide about this content when `due` has passed."""
        ...


class Leases(Protocol):
    """Who does which background work (design §8)."""

    def take(self, name: str, holder: str, until: datetime) -> int | None:
        """The lease's fence, when nobody else has it by now: another number each time it changes hands."""
        ...

    def keep(self, name: str, fence: int, until: datetime) -> bool:
        """Put off its end; whether it is still ours."""
        ...

    def release(self, name: str, fence: int) -> None: ...


class Settings(Protocol):
    """What the database keeps for all processes under a name, as text; what an operator sets is elsewhere."""

    def find(self, name: str) -> str | None: ...
    def get_or_put(self, name: str, initial: str) -> str:
        """Its value; `initial` is kept when there was none."""
        ...

    def put(self, name: str, value: str) -> None: ...
    def remove(self, name: str) -> None:
        """From now on it has no value; to have had none is no error."""
        ...
