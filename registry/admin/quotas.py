"""Quotas of projects, of users, and of all that have nothing of their own.

A quota is one document, which is always there: what it does not name is as for all. To put the same again changes
nothing; to delete it leaves nothing of its own.
"""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed, refusals
from registry.admin.projects import demand_usage
from registry.admin.services import Administration
from registry.admin.texts import Name, Project, Strict
from registry.admin.versions import Condition, Conditional, tag_of
from registry.core.administration import demand_registry, demand_sight
from registry.core.facts import Caller
from registry.core.quota import MOST, Holder, Limit, Resource, Scope
from registry.core.quota_service import ALL, Standing

router = APIRouter(tags=["quotas"])

_Amount = Annotated[int | None, Field(ge=0, le=MOST)]


class LimitWanted(Strict):
    """Bounds of one resource; one that is left out is none, in spite of what all may have."""

    hard: _Amount = Field(None, description="what would come to more is refused")
    soft: _Amount = Field(None, description="what comes to more is warned of")


class QuotaWanted(Strict):
    """A quota as it is to be; a resource that is left out has nothing of its own."""

    bytes: LimitWanted | None = None
    repositories: LimitWanted | None = None
    tags: LimitWanted | None = None
    uploads: LimitWanted | None = Field(None, description="open upload sessions")

    @property
    def limits(self) -> dict[Resource, Limit]:
        """As the rules take it."""
        wanted = {each: getattr(self, each.value) for each in Resource}
        return {each: Limit(limit.hard, limit.soft) for each, limit in wanted.items() if limit is not None}


class ShownLimit(BaseModel):
    """What holds for one resource, and what there is."""

    hard: int | None
    soft: int | None
    is_own: bool = Field(description="or else it is as for all")
    used: int | None = Field(description="none where it is about no single one")


class ShownQuota(BaseModel):
    """What somebody may have, and has."""

    scope: Scope
    name: str = Field(description="a project or a user, or `*` for each that has nothing of its own")
    bytes: ShownLimit
    repositories: ShownLimit
    tags: ShownLimit
    uploads: ShownLimit

    @classmethod
    def of(cls, standing: Standing) -> Self:
        """As it is shown."""
        return cls.model_validate(
            {"scope": standing.holder.scope, "name": standing.holder.name}
            | {each.value: _shown(standing, each) for each in Resource}
        )


def _shown(standing: Standing, resource: Resource) -> ShownLimit:
    limit = standing.limit(resource)
    is_own = resource in standing.allowance.limits
    return ShownLimit(hard=limit.hard, soft=limit.soft, is_own=is_own, used=standing.used.get(resource))


def _put(admin: Administration, holder: Holder, wanted: QuotaWanted, caller: Caller, condition: Condition) -> Standing:
    version = None
    if condition.is_stated:
        former = admin.quotas.get(holder)
        condition.demand(_tag(former))
        version = former.allowance.version
    return admin.quotas.put(holder, wanted.limits, caller, version=version)


def _answered(response: Response, standing: Standing) -> ShownQuota:
    response.headers["ETag"] = _tag(standing)
    return ShownQuota.of(standing)


def _tag(standing: Standing) -> str:
    return tag_of(f"{standing.holder} {standing.allowance.version}")


async def _each(
    scope: Annotated[Scope, Path(description="each project, or each user, that has nothing of its own")],
) -> Holder:
    return Holder(scope, ALL)


Each = Annotated[Holder, Depends(_each)]


@router.get("/projects/{project}/quota", summary="What a project may have, and has", responses=refusals(404))
async def get_project_quota(project: Project, admin: Admin, caller: Signed, response: Response) -> ShownQuota:
    """For its owner, whoever administers it, and administrators."""
    await admin.ask(demand_usage, admin, caller, project)
    return _answered(response, await admin.ask(admin.quotas.get, Holder(Scope.PROJECT, project)))


@router.put("/projects/{project}/quota", summary="Set what a project may have", responses=refusals(404, 412))
async def put_project_quota(
    project: Project, wanted: QuotaWanted, admin: Admin, caller: Signed, condition: Conditional, response: Response
) -> ShownQuota:
    """For administrators."""
    demand_registry(caller)
    standing = await admin.ask(_put, admin, Holder(Scope.PROJECT, project), wanted, caller, condition)
    return _answered(response, standing)


@router.delete(
    "/projects/{project}/quota", summary="Leave a project what all may have", status_code=204, responses=refusals(404)
)
async def delete_project_quota(project: Project, admin: Admin, caller: Signed) -> None:
    """For administrators."""
    demand_registry(caller)
    await admin.ask(admin.quotas.put, Holder(Scope.PROJECT, project), {}, caller)


@router.get("/users/{name}/quota", summary="What a user may have, and has", responses=refusals(404))
async def get_user_quota(name: Name, admin: Admin, caller: Signed, response: Response) -> ShownQuota:
    """Over all projects that it owns. Oneself, and anybody for administrators."""
    demand_sight(caller, name)
    return _answered(response, await admin.ask(admin.quotas.get, Holder(Scope.USER, name)))


@router.put("/users/{name}/quota", summary="Set what a user may have", responses=refusals(404, 412))
async def put_user_quota(
    name: Name, wanted: QuotaWanted, admin: Admin, caller: Signed, condition: Conditional, response: Response
) -> ShownQuota:
    """For administrators."""
    demand_sight(caller, name)
    demand_registry(caller)
    return _answered(response, await admin.ask(_put, admin, Holder(Scope.USER, name), wanted, caller, condition))


@router.delete(
    "/users/{name}/quota", summary="Leave a user what all may have", status_code=204, responses=refusals(404)
)
async def delete_user_quota(name: Name, admin: Admin, caller: Signed) -> None:
    """For administrators."""
    demand_sight(caller, name)
    demand_registry(caller)
    await admin.ask(admin.quotas.put, Holder(Scope.USER, name), {}, caller)


@router.get("/default-quotas/{scope}", summary="What each may have that has nothing of its own")  # noqa: FAST003  `Each`
async def get_default_quota(each: Each, admin: Admin, caller: Signed, response: Response) -> ShownQuota:
    """For administrators."""
    demand_registry(caller)
    return _answered(response, await admin.ask(admin.quotas.get, each))


@router.put(
    "/default-quotas/{scope}",  # noqa: FAST003  a part of `Each`
    summary="Set what each may have that has nothing of its own",
    responses=refusals(412),
)
async def put_default_quota(
    each: Each, wanted: QuotaWanted, admin: Admin, caller: Signed, condition: Conditional, response: Response
) -> ShownQuota:
    """For administrators."""
    demand_registry(caller)
    return _answered(response, await admin.ask(_put, admin, each, wanted, caller, condition))
