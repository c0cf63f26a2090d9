"""`/explain`: why somebody may do something, or may not."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed, refusals
from registry.admin.grants import Effect
from registry.admin.texts import ONE_LINE
from registry.core.administration import demand_explanation
from registry.core.explaining import Explanation
from registry.core.rights import WORDS, Grant
from registry.oci.names import LONGEST_NAME, RepositoryName

router = APIRouter(tags=["grants"])

Subject = Annotated[str, Query(min_length=1, max_length=140, pattern=ONE_LINE)]
Action = Annotated[str, Query(max_length=20, json_schema_extra={"enum": [*WORDS]})]
Repository = Annotated[str, Query(min_length=1, max_length=LONGEST_NAME, examples=["team/app"])]


class Because(BaseModel):
    """The grant that decides."""

    uuid: str | None = Field(description="none for a grant by the settings")
    subject: str
    effect: Effect
    pattern: str
    actions: list[str]


class Explained(BaseModel):
    """Whether, and why."""

    allowed: bool
    sentence: str
    because: Because | None = Field(description="the deciding grant, if it is one that decides")


@router.get("/explain", summary="Why somebody may do something, or may not", responses=refusals(400, 404))
async def explain_right(
    subject: Subject, action: Action, repository: Repository, admin: Admin, caller: Signed
) -> Explained:
    """For oneself, and of anybody for whoever holds admin on the repository."""
    name = RepositoryName.parse(repository)
    demand_explanation(caller, subject, name)
    return _shown(await admin.ask(admin.grants.explain, subject, action, name))


def _shown(explanation: Explanation) -> Explained:
    because = explanation.because
    return Explained(
        allowed=explanation.allowed,
        sentence=explanation.sentence,
        because=_because(because) if because else None,
    )


def _because(grant: Grant) -> Because:
    return Because(
        uuid=grant.uuid or None,
        subject=grant.subject,
        effect=Effect.of(denies=grant.denies),
        pattern=grant.pattern.text,
        actions=list(grant.actions),
    )
