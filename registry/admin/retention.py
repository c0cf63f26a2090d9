"""`/retention-rules`: which tags are kept, and for how long; and what rules would do, before they do it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed, refusals
from registry.admin.paging import Page, Paged
from registry.admin.tag_rules import Placed, RuleWanted, ShownRule, TagsText, remove, seen, shown
from registry.admin.texts import Strict
from registry.admin.versions import Conditional, answered
from registry.core.administration import demand_no_limits, demand_pattern
from registry.core.keeps import LONGEST, MOST, Keeps
from registry.core.patterns import Pattern
from registry.core.retention import Decision
from registry.core.ruling import fit_rule, fit_tags
from registry.core.tag_rules import GivenRule, RuleKind, TagRule
from registry.oci.names import LONGEST_NAME, RepositoryName

router = APIRouter(prefix="/retention-rules", tags=["retention"])

Number = Annotated[int, Field(ge=1, le=MOST)]
Seconds = Annotated[int, Field(ge=1, le=int(LONGEST.total_seconds()), description="seconds", examples=[2592000])]


class Kept(Strict):
    """What a rule keeps of the tags that it looks at: whatever one of these keeps. Left out, each keeps nothing."""

    last: Number | None = Field(None, description="so many that were pushed last")
    pushed_within: Seconds | None = None
    pulled_within: Seconds | None = None
    like: TagsText = ""
    minors: Number | None = Field(None, description="the newest patch of each of so many minor versions, the last ones")
    untagged_after: Seconds | None = Field(None, description="end manifests that have had no tag for so long")
    keeps_manifests: bool = Field(default=False, description="keep manifests that have lost their last tag by this")

    @classmethod
    def of(cls, keeps: Keeps) -> Self:
        """As it is shown."""
        return cls(
            last=keeps.last,
            pushed_within=_seconds(keeps.pushed_within),
            pulled_within=_seconds(keeps.pulled_within),
            like=keeps.like.text,
            minors=keeps.minors,
            untagged_after=_seconds(keeps.untagged_after),
            keeps_manifests=keeps.keeps_manifests,
        )

    @property
    def fit(self) -> Keeps:
        """Raises: Unfit."""
        return Keeps(
            self.last,
            _span(self.pushed_within),
            _span(self.pulled_within),
            fit_tags(self.like),
            self.minors,
            _span(self.untagged_after),
            keeps_manifests=self.keeps_manifests,
        )


class ShownRetentionRule(ShownRule):
    """Tags that it is about, but for its exceptions, go when no rule keeps them."""

    keeps: Kept

    @classmethod
    def of(cls, given: GivenRule) -> Self:
        """As it is shown."""
        return cls.model_validate(shown(given) | {"keeps": Kept.of(given.rule.keeps)})


class RetentionRuleWanted(RuleWanted):
    """A rule that keeps no tag looks at none."""

    keeps: Kept


class TriedRuleWanted(Strict):
    """A rule that stands nowhere yet, about one repository."""

    tags: TagsText = "*"
    exceptions: TagsText = ""
    keeps: Kept

    def about(self, repository: Pattern) -> TagRule:
        """Raises: Unfit."""
        return fit_rule(
            TagRule(RuleKind.RETENTION, repository, fit_tags(self.tags), fit_tags(self.exceptions), self.keeps.fit)
        )


class PreviewWanted(Strict):
    """Which rules to go by: those that stand, or these instead."""

    rules: list[TriedRuleWanted] | None = Field(None, max_length=50)


class Judged(BaseModel):
    """What becomes of a tag, and why."""

    tag: str
    digest: str
    stays: bool
    reason: str
    rule: UUID | None = Field(description="the rule that decides, if one does and stands")

    @classmethod
    def of(cls, decision: Decision) -> Self:
        """As it is shown."""
        rule = decision.rule
        return cls(
            tag=decision.standing.tag.text,
            digest=str(decision.standing.digest),
            stays=decision.stays,
            reason=decision.reason,
            rule=UUID(rule.uuid) if rule and rule.uuid else None,
        )


class Preview(Page[Judged]):
    """Tags in the order of their names, and how many there are in all."""

    stay: int
    go: int
    untagged: list[str] = Field(description="digests of manifests without a tag that go, the first ones")


@router.get("", summary="Rules of retention, in no order of meaning")
async def list_retention_rules(admin: Admin, caller: Signed, paging: Paged) -> Page[ShownRetentionRule]:
    """Those that are the caller's to make."""
    demand_no_limits(caller)
    found = await admin.ask(admin.retention_rules.page_for, caller, paging.after, paging.more)
    return paging.page(found, ShownRetentionRule.of, lambda given: given.uuid)


@router.put(
    "",
    summary="Say which tags are kept",
    responses={201: {"model": ShownRetentionRule, "description": "Nothing was said before"}, **refusals(409, 412)},
)
async def put_retention_rule(
    place: Placed, wanted: RetentionRuleWanted, admin: Admin, caller: Signed, condition: Conditional, response: Response
) -> ShownRetentionRule:
    """For whoever holds admin on all of the pattern. It replaces what was said of these repositories and tags."""
    demand_pattern(caller, place.repositories)
    rule = TagRule(
        RuleKind.RETENTION,
        place.repositories,
        place.tags,
        fit_tags(wanted.exceptions),
        wanted.keeps.fit,
        wanted.enabled,
    )
    given, is_new = await admin.ask(place.put, admin.retention_rules, rule, caller, condition)
    answered(response, given, is_new=is_new)
    return ShownRetentionRule.of(given)


@router.post("/preview", summary="What becomes of each tag of a repository", responses=refusals(400, 404))
async def preview_retention(
    repository: Annotated[str, Query(min_length=1, max_length=LONGEST_NAME, examples=["team/app"])],
    wanted: PreviewWanted,
    admin: Admin,
    caller: Signed,
    paging: Paged,
) -> Preview:
    """For whoever holds admin on the repository. Nothing is changed."""
    name = RepositoryName.parse(repository)
    about = Pattern(name.text)
    demand_pattern(caller, about)
    rules = None if wanted.rules is None else [each.about(about) for each in wanted.rules]
    plan = await admin.ask(admin.retention.plan, name, rules)
    left = [each for each in plan.decisions if each.standing.tag.text > paging.after]
    page = paging.page(left[: paging.more], Judged.of, lambda decision: decision.standing.tag.text)
    stay = sum(each.stays for each in plan.decisions)
    return Preview(
        items=page.items,
        next=page.next,
        stay=stay,
        go=len(plan.decisions) - stay,
        untagged=[str(each.manifest.digest) for each in plan.endings[: paging.limit]],
    )


@router.get("/{uuid}", summary="One rule of retention", responses=refusals(404))
async def get_retention_rule(uuid: UUID, admin: Admin, caller: Signed, response: Response) -> ShownRetentionRule:
    """One that is the caller's to make."""
    given = await admin.ask(seen, admin.retention_rules, uuid, caller)
    answered(response, given)
    return ShownRetentionRule.of(given)


@router.delete("/{uuid}", summary="Take a rule of retention back", status_code=204, responses=refusals(404, 412))
async def delete_retention_rule(uuid: UUID, admin: Admin, caller: Signed, condition: Conditional) -> None:
    """For whoever holds admin on all of its pattern."""
    await admin.ask(remove, admin.retention_rules, uuid, caller, condition)


def _span(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _seconds(span: timedelta | None) -> int | None:
    # Whoever types may say less than a second; nobody is told that it is none.
    return None if span is None else max(round(span.total_seconds()), 1)
