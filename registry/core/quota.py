"""Quotas: how much a project, or all that one user owns, may have of something (design §4).

    hard    what would come to more is refused, and nothing of it takes place
    soft    what comes to more is told of: to who pushes each time, to the audit log once each time that it is crossed

What is refused, and in which words, is decided here; what there is, is counted in SQL while the project's row is held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from registry.core.sizes import in_words
from registry.oci.errors import QuotaExceeded

STEP: Final = 64 << 20
"""What is reserved at once for a body of unknown length."""
MOST: Final = 1 << 60
"""The largest limit."""


class Resource(StrEnum):
    """What can be limited."""

    BYTES = "bytes"
    REPOSITORIES = "repositories"
    TAGS = "tags"
    # Sessions that are open.
    UPLOADS = "uploads"


class Scope(StrEnum):
    """Whose usage is summed."""

    PROJECT = "project"
    # Over all projects that the user owns.
    USER = "user"


@dataclass(frozen=True, slots=True)
class Limit:
    """Of one resource; None where there is no such bound. One without bounds sets its holder free of the default."""

    hard: int | None = None
    soft: int | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a limit."""

    scope: Scope
    name: str

    def __str__(self) -> str:
        return f"{self.scope} {self.name}"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is set for a holder; another `version` each time that it is set, 0 where nothing is."""

    limits: Mapping[Resource, Limit]
    version: int = 0


@dataclass(frozen=True, slots=True)
class Project:
    """The first component of names, by its row; `owner` is a user's name."""

    id: int
    name: str
    used: int
    owner: str | None


@dataclass(frozen=True, slots=True)
class Growth:
    """What a transaction adds to a project, less than nothing where it gives back; bytes are charged or reserved."""

    charged: int = 0
    reserved: int = 0
    repositories: int = 0
    tags: int = 0
    uploads: int = 0

    @property
    def bytes(self) -> int:
        """Of the project's counter."""
        return self.charged + self.reserved

    @property
    def wanted(self) -> Mapping[Resource, int]:
        """What it takes more of; of bytes, those charged although they were reserved before."""
        more = (
            (Resource.BYTES, max(self.bytes, self.charged)),
            (Resource.REPOSITORIES, self.repositories),
            (Resource.TAGS, self.tags),
            (Resource.UPLOADS, self.uploads),
        )
        return {resource: amount for resource, amount in more if amount > 0}

    def __add__(self, other: Growth) -> Growth:
        return Growth(
            self.charged + other.charged,
            self.reserved + other.reserved,
            self.repositories + other.repositories,
            self.tags + other.tags,
            self.uploads + other.uploads,
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """Something was taken in; `notices` is what is to be told of soft limits by then, complete once it is durable."""

    notices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A holder wants `more` of a resource, and would have `used` then."""

    holder: Holder
    resource: Resource
    limit: Limit
    used: int
    more: int

    @property
    def is_refused(self) -> bool:
        """Whether that is more than it may have; who gives back is refused nothing."""
        return self.more > 0 and self.limit.hard is not None and self.used > self.limit.hard

    @property
    def is_beyond(self) -> bool:
        """Whether it is above the soft limit."""
        return self.more > 0 and self.limit.soft is not None and self.used > self.limit.soft

    @property
    def crosses(self) -> bool:
        """Whether it was not before."""
        return self.is_beyond and self.used - self.more <= (self.limit.soft or 0)

    def refusal(self) -> QuotaExceeded:
        """What is answered."""
        limit, used = self.limit.hard or 0, self.used - self.more
        had = in_words(used) if self.resource is Resource.BYTES else str(used)
        may, more = (_amount(self.resource, each) for each in (limit, self.more))
        words = f"{self.holder} {self._verb} {had} of {may}, {more} more needed"
        numbers = {"resource": self.resource.value, "used": used, "limit": limit, "needed": self.more}
        return QuotaExceeded(words, **numbers, **{self.holder.scope.value: self.holder.name})

    def warning(self) -> str:
        """What is told, beyond the soft limit."""
        used, limit = (_amount(self.resource, each) for each in (self.used, self.limit.soft or 0))
        return f"{self.holder} {self._verb} {used}, beyond its soft limit of {limit}"

    @property
    def _verb(self) -> str:
        return "uses" if self.resource is Resource.BYTES else "has"


def reserved_next(held: int, least: int, room: int) -> int:
    """How much a session has reserved from now on whose end is unknown: a step more, but `least` in any case.

    More than there is room for is refused.
    """
    return held if held >= least else max(least, held + min(STEP, room))


_ONE: Final = {Resource.REPOSITORIES: "repository", Resource.TAGS: "tag", Resource.UPLOADS: "open upload"}
_MANY: Final = {Resource.REPOSITORIES: "repositories", Resource.TAGS: "tags", Resource.UPLOADS: "open uploads"}


def _amount(resource: Resource, amount: int) -> str:
    if resource is Resource.BYTES:
        return in_words(amount)
    return f"{amount} {(_ONE if amount == 1 else _MANY)[resource]}"
