"""Queries: what happened, and what the collector is to look at."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import Action, Caller, ContentKind, Outcome, Repository
from registry.metadata.instants import to_micros
from registry.metadata.moment import Moment
from registry.metadata.schema import event, review
from registry.oci.digest import Digest

_EVENT: Final = sa.insert(event).values(
    {
        each: p(each)
        for each in (
            "at", "action", "principal_id", "repository", "reference", "digest", "outcome", "address", "credential_id",
            "target", "detail",
        )
    }
)  # fmt: skip
_REVIEW: Final = (
    insert(review)
    .values({each: p(each) for each in ("repository_id", "kind", "digest", "due_at")})
    # The latest reason to wait is the one that counts.
    .on_conflict_do_update(index_elements=["repository_id", "kind", "digest"], set_={"due_at": p("due_at")})
)


class Journal:
    """`ports.Journal`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def event(
        self, action: Action, repository: Repository, caller: Caller, digest: Digest, reference: str = ""
    ) -> None:
        """A row of the same transaction as what it tells of."""
        self._tell(action, caller, repository=repository.name.text, reference=reference, digest=digest.packed)

    def note(
        self, action: Action, caller: Caller, *, target: str = "", outcome: Outcome = Outcome.DONE, detail: str = ""
    ) -> None:
        """The same of what is done to no repository."""
        self._tell(action, caller, target=target, outcome=outcome.value, detail=detail)

    def _tell(self, action: Action, caller: Caller, **more: object) -> None:
        told = {
            "repository": "",
            "reference": "",
            "digest": None,
            "outcome": Outcome.DONE.value,
            "target": "",
            "detail": "",
        }
        self._moment.run(
            _EVENT,
            at=self._moment.micros,
            action=action.value,
            principal_id=caller.principal,
            address=caller.address,
            credential_id=caller.credential,
            **(told | more),
        )

    def review(self, repository: Repository, kind: ContentKind, digest: Digest, due: datetime) -> None:
        """Enqueued here, decided by the collector."""
        self._moment.run(
            _REVIEW, repository_id=repository.id, kind=kind.value, digest=digest.packed, due_at=to_micros(due)
        )
