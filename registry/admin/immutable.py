"""`/immutable-rules`: which tags are set once, and then neither moved nor deleted."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed, refusals
from registry.admin.paging import Page, Paged
from registry.admin.tag_rules import Placed, RuleWanted, ShownRule, remove, seen, shown
from registry.admin.versions import Conditional, answered
from registry.core.administration import demand_no_limits, demand_pattern
from registry.core.patterns import Pattern
from registry.core.ruling import fit_tags
from registry.core.tag_rules import GivenRule, RuleKind, TagRule
from registry.oci.names import LONGEST_NAME, RepositoryName, Tag

router = APIRouter(prefix="/immutable-rules", tags=["immutable tags"])


class ShownImmutableRule(ShownRule):
    """Tags that it is about, but for its exceptions, cannot change."""

    @classmethod
    def of(cls, given: GivenRule) -> Self:
        """As it is shown."""
        return cls.model_validate(shown(given))


class ImmutableRuleWanted(RuleWanted):
    """Signatures and lists of referrers are excepted by themselves."""


class Explained(BaseModel):
    """Whether a tag can change, and the rule that says no."""

    immutable: bool
    rule: UUID | None
    sentence: str | None = Field(description="what the rule says")


@router.get("", summary="Rules of immutable tags, in no order of meaning")
async def list_immutable_rules(admin: Admin, caller: Signed, paging: Paged) -> Page[ShownImmutableRule]:
    """Those that are the caller's to make."""
    demand_no_limits(caller)
    found = await admin.ask(admin.immutable_rules.page_for, caller, paging.after, paging.more)
    return paging.page(found, ShownImmutableRule.of, lambda given: given.uuid)


@router.put(
    "",
    summary="Say which tags cannot change",
    responses={201: {"model": ShownImmutableRule, "description": "Nothing was said before"}, **refusals(409, 412)},
)
async def put_immutable_rule(
    place: Placed, wanted: ImmutableRuleWanted, admin: Admin, caller: Signed, condition: Conditional, response: Response
) -> ShownImmutableRule:
    """For whoever holds admin on all of the pattern. It replaces what was said of these repositories and tags."""
    demand_pattern(caller, place.repositories)
    rule = TagRule(
        RuleKind.IMMUTABLE,
        place.repositories,
        place.tags,
        fit_tags(wanted.exceptions),
        is_enabled=wanted.enabled,
    )
    given, is_new = await admin.ask(place.put, admin.immutable_rules, rule, caller, condition)
    answered(response, given, is_new=is_new)
    return ShownImmutableRule.of(given)


@router.get("/explain", summary="Whether a tag can change", responses=refusals(400))
async def explain_immutable_tag(
    repository: Annotated[str, Query(min_length=1, max_length=LONGEST_NAME, examples=["team/app"])],
    tag: Annotated[str, Query(min_length=1, max_length=128, examples=["v1.0.0"])],
    admin: Admin,
    caller: Signed,
) -> Explained:
    """For whoever holds admin on the repository; the tag need not be there."""
    name = RepositoryName.parse(repository)
    demand_pattern(caller, Pattern(name.text))
    rule = await admin.ask(admin.immutable_rules.deciding, name, Tag.parse(tag))
    return Explained(
        immutable=rule is not None,
        rule=UUID(rule.uuid) if rule else None,
        sentence=str(rule) if rule else None,
    )


@router.get("/{uuid}", summary="One rule of immutable tags", responses=refusals(404))
async def get_immutable_rule(uuid: UUID, admin: Admin, caller: Signed, response: Response) -> ShownImmutableRule:
    """One that is the caller's to make."""
    given = await admin.ask(seen, admin.immutable_rules, uuid, caller)
    answered(response, given)
    return ShownImmutableRule.of(given)


@router.delete("/{uuid}", summary="Take a rule of immutable tags back", status_code=204, responses=refusals(404, 412))
async def delete_immutable_rule(uuid: UUID, admin: Admin, caller: Signed, condition: Conditional) -> None:
    """For whoever holds admin on all of its pattern."""
    await admin.ask(remove, admin.immutable_rules, uuid, caller, condition)
