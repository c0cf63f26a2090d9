"""`/repositories`: what there is to pull, for whoever may pull it; and whole ones shown and deleted.

A name has slashes, so it comes last in a path, or stands before a component that no name has: `/-/` (see `past`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed, refusals
from registry.admin.deleted_repositories import ShownDeleted
from registry.admin.paging import Page, Paged, Words
from registry.core.nouns.holdings import Held, Sharer
from registry.core.repository_rights import Deed
from registry.oci.names import LONGEST_NAME, RepositoryName

router = APIRouter(prefix="/repositories", tags=["repositories"])


class Repository(BaseModel):
    """One that holds a manifest."""

    name: str


class Shared(BaseModel):
    """Another repository, and how many bytes it shares."""

    name: str
    size: int


class ShownRepository(BaseModel):
    """What a repository holds."""

    name: str
    tags: int
    manifests: int
    deleted_manifests: int = Field(description="those that can be restored, or wait for the collector")
    size: int = Field(description="bytes of all that it holds, deleted manifests included")
    own: int = Field(description="bytes of that which no other repository holds")
    shared_with: list[Shared] = Field(description="those with whom it shares most, as far as the caller may pull them")

    @classmethod
    def of(cls, name: RepositoryName, held: Held, sharers: Iterable[Sharer]) -> Self:
        """As it is shown."""
        return cls(
            name=str(name),
            tags=held.tags,
            manifests=held.manifests,
            deleted_manifests=held.deleted,
            size=held.size,
            own=held.own,
            shared_with=[Shared(name=str(each.name), size=each.size) for each in sharers],
        )


async def _named(
    repository: Annotated[str, Path(min_length=1, max_length=LONGEST_NAME, examples=["team/app"])],
) -> RepositoryName:
    return RepositoryName.parse(repository)


Named = Annotated[RepositoryName, Depends(_named)]


@router.get("", summary="Repositories that the caller may pull, by name")
async def list_repositories(admin: Admin, caller: Signed, paging: Paged, q: Words = "") -> Page[Repository]:
    """For anybody, a credential with limits included: within these."""
    found = await admin.ask(admin.search.page, caller, q, paging.after, paging.more)
    return paging.page(found, lambda name: Repository(name=name), str)


@router.get("/{repository:path}", summary="What a repository holds", responses=refusals(400, 404))  # noqa: FAST003  a part of `Named`
async def show_repository(name: Named, admin: Admin, caller: Signed) -> ShownRepository:
    """For whoever may pull it."""
    admin.may.demand(caller, Deed.SEE, name)
    held, sharers = await admin.ask(admin.repositories.show, name)
    return ShownRepository.of(name, held, (each for each in sharers if admin.may.holds(caller, Deed.SEE, each.name)))


@router.delete("/{repository:path}", summary="Delete a repository", responses=refusals(400, 404))  # noqa: FAST003  the same
async def delete_repository(name: Named, admin: Admin, caller: Signed) -> ShownDeleted:
    """For whoever holds delete on it. It is gone at once, its name is free, and for a while it can be restored."""
    admin.may.demand(caller, Deed.DELETE, name)
    deleted = await admin.ask(admin.repositories.delete, name, caller)
    return ShownDeleted.of(deleted, admin.repositories.ends(deleted))
