"""`/projects`: what there is, who owns it, and what it is charged for; quotas and robots are apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed, refusals
from registry.admin.paging import Page, Paged, Words
from registry.admin.repositories import Shared
from registry.admin.services import Administration
from registry.admin.texts import Project, Strict
from registry.core.administration import demand_no_limits, demand_registry, may_administer
from registry.core.facts import Caller
from registry.core.nouns.holdings import Sharer
from registry.core.patterns import Pattern
from registry.core.quota import Project as KnownProject
from registry.core.refusals import ProjectUnknown
from registry.core.repository_rights import Deed
from registry.core.usage_parts import ExplainedUsage

router = APIRouter(prefix="/projects", tags=["projects"])
_SHARERS = 5


class ShownProject(BaseModel):
    """The first component of repositories' names."""

    name: str
    used: int = Field(description="bytes that it is charged for, those that uploads have reserved included")
    owner: str | None = Field(description="the user among whose this counts")

    @classmethod
    def of(cls, project: KnownProject) -> Self:
        """As it is shown."""
        return cls(name=project.name, used=project.used, owner=project.owner)


class Reasons(BaseModel):
    """Bytes, by why they are there still."""

    served: int
    undo: int = Field(description="of what was deleted and can be restored")
    lease: int = Field(description="of what was pushed lately, and no manifest names")
    nothing: int = Field(description="of what the collector will take")
    reserved: int = Field(description="by uploads")


class RepositoryShare(BaseModel):
    """What a repository holds of its project."""

    name: str
    own: int = Field(description="bytes that no other repository of the project holds")
    shared_with: list[Shared] = Field(description="those with whom it shares most, as far as the caller may pull them")


class ShownUsage(ShownProject):
    """What a project is charged for, each byte once: so are all reasons, and all repositories with what they share."""

    by_reason: Reasons
    by_repository: list[RepositoryShare]
    shared: int = Field(description="bytes that several of its repositories hold")

    @classmethod
    def explained(cls, usage: ExplainedUsage, sharers: Mapping[str, Iterable[Sharer]]) -> Self:
        """As it is shown."""
        reasons = {why.name.lower(): size for why, size in usage.by_reason().items()}
        own = usage.by_repository()
        return cls(
            name=usage.project.name,
            used=usage.used,
            owner=usage.project.owner,
            by_reason=Reasons(reserved=usage.reserved, **reasons),
            by_repository=[
                RepositoryShare(
                    name=name,
                    own=own.get(name, 0),
                    shared_with=[Shared(name=str(each.name), size=each.size) for each in sharers.get(name, ())],
                )
                for name in sorted({*own, *sharers})
            ],
            shared=usage.shared,
        )


class OwnerWanted(Strict):
    """Whose it is to be."""

    owner: str | None = Field(max_length=140, description="a user's name, or none")


def demand_usage(admin: Administration, caller: Caller, project: str) -> None:
    """To own the project or to administer it; to anybody else it is not there. Raises: Denied, ProjectUnknown."""
    demand_no_limits(caller)
    if may_administer(caller, Pattern(f"{project}/**")):
        return
    if admin.quotas.project(project).owner != caller.name:
        raise ProjectUnknown(name=project)


@router.get("", summary="Projects, by name")
async def list_projects(admin: Admin, caller: Signed, paging: Paged, q: Words = "") -> Page[ShownProject]:
    """For administrators."""
    demand_registry(caller)
    found = await admin.ask(admin.quotas.projects, paging.after, paging.more, q)
    return paging.page(found, ShownProject.of, lambda project: project.name)


@router.get("/{project}", summary="What a project is charged for, and why", responses=refusals(404))
async def get_project(project: Project, admin: Admin, caller: Signed) -> ShownUsage:
    """For its owner, whoever administers it, and administrators."""
    await admin.ask(demand_usage, admin, caller, project)
    usage = await admin.ask(admin.usage.explain, project)
    return ShownUsage.explained(usage, await admin.ask(_sharers, admin, caller, project))


@router.put("/{project}/owner", summary="Say among whose a project counts", responses=refusals(404))
async def put_owner(project: Project, wanted: OwnerWanted, admin: Admin, caller: Signed) -> ShownProject:
    """For administrators."""
    demand_registry(caller)
    return ShownProject.of(await admin.ask(admin.quotas.own, project, wanted.owner, caller))


def _sharers(admin: Administration, caller: Caller, project: str) -> Mapping[str, list[Sharer]]:
    """Of others, only those that the caller may see: who shares tells what they hold."""
    found = admin.usage.sharers(project, _SHARERS)
    return {
        name: [each for each in some if admin.may.holds(caller, Deed.SEE, each.name)] for name, some in found.items()
    }
