"""Queries: what happened, and what the collector is to look at."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import Action, Caller, ContentKind, Outcome, Repository
from registry.core.printable import printable
from registry.core.witness import Sight
from registry.metadata.instants import to_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import event, review
from registry.oci.digest import Digest

_EVENT: Final = sa.insert(event).values(
    {
        each: p(each)
        for each in (
            "at", "action", "principal_id", "who", "repository", "reference", "digest", "outcome", "address",
            "credential_id", "target", "detail",
        )
    }
)  # fmt: skip
_REVIEW: Final = (
    insert(review)
    .values({each: p(each) for each in ("repository_id", "kind", "digest", "due_at")})
    # The latest reason to wait is the one that counts.
    .on_conflict_do_update(index_elements=["repository_id", "kind", "digest"], set_={"due_at": p("due_at")})
)
# Of what strangers write; our own texts are shorter.
_LONGEST_NAME: Final = 256
_LONGEST_DETAIL: Final = 1024
_NOW: Final = timedelta(0)


class Journal:
    """`ports.Journal`: the one place where events are written."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def event(
        self,
        action: Action,
        repository: Repository,
        caller: Caller,
        digest: Digest | None = None,
        reference: str = "",
        detail: str = "",
    ) -> None:
        """A row of the same transaction as what it tells of."""
        self._write(Sight(action, Outcome.DONE, caller, repository.name.text, reference, detail=detail), digest=digest)

    def note(
        self, action: Action, caller: Caller, *, target: str = "", outcome: Outcome = Outcome.DONE, detail: str = ""
    ) -> None:
        """The same of what is done to no repository."""
        self._write(Sight(action, outcome, caller, target=target, detail=detail))

    def tell(self, sight: Sight, ago: timedelta, times: int) -> None:
        """What was seen outside of any transaction; more than once in one row."""
        self._write(sight, ago=ago, suffix=f"{times} times" if times > 1 else "")

    def _write(self, sight: Sight, *, digest: Digest | None = None, ago: timedelta = _NOW, suffix: str = "") -> None:
        self._moment.by = sight.by
        self._moment.run(
            _EVENT,
            at=self._moment.micros - ago // timedelta(microseconds=1),
            action=sight.action.value,
            principal_id=sight.by.principal,
            who=printable(sight.by.name, _LONGEST_NAME),
            repository=printable(sight.repository, _LONGEST_NAME),
            reference=printable(sight.reference, _LONGEST_NAME),
            digest=None if digest is None else digest.packed,
            outcome=sight.outcome.value,
            address=printable(sight.by.address, _LONGEST_NAME),
            credential_id=sight.by.credential,
            target=printable(sight.target, _LONGEST_NAME),
            detail=printable(", ".join(filter(None, (sight.detail, suffix))), _LONGEST_DETAIL),
        )

    def review(self, repository: Repository, kind: ContentKind, digest: Digest, due: datetime) -> None:
        """Enqueued here, decided by the collector."""
        self._moment.run(
            _REVIEW, repository_id=repository.id, kind=kind.value, digest=digest.packed, due_at=to_micros(due)
        )
