"""`/deleted-repositories`: those that can be restored, each by its UUID, as several may have had one name."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from registry.admin.asking import Admin, Signed, refusals
from registry.admin.paging import Page, Paged
from registry.admin.services import Administration
from registry.admin.texts import PatternText, Strict
from registry.core.facts import Caller, DeletedRepository
from registry.core.refusals import DeletedRepositoryUnknown
from registry.core.repository_rights import Deed
from registry.oci.names import RepositoryName

router = APIRouter(prefix="/deleted-repositories", tags=["repositories"])


class ShownDeleted(BaseModel):
    """A repository that was deleted, under the name that it had."""

    uuid: UUID
    name: str
    deleted: datetime
    restorable_until: datetime

    @classmethod
    def of(cls, deleted: DeletedRepository, until: datetime) -> Self:
        """As it is shown."""
        name = str(deleted.repository.name)
        return cls(uuid=UUID(deleted.uuid), name=name, deleted=deleted.deleted, restorable_until=until)


class RestoreWanted(Strict):
    """How it is to come back."""

    name: PatternText | None = Field(default=None, description="another name of its project, where its own is taken")


class Restored(BaseModel):
    """A repository that is served again."""

    name: str


@router.get("", summary="Deleted repositories, by name")
async def list_deleted(admin: Admin, caller: Signed, paging: Paged) -> Page[ShownDeleted]:
    """Those that the caller may restore, or purge."""
    found = await admin.ask(
        admin.repositories.deleted, _last(paging.after), paging.more, lambda name: _is_seen(admin, caller, name)
    )
    return paging.page(found, lambda each: _shown(admin, each), lambda each: f"{each.repository.name}@{each.uuid}")


@router.get("/{uuid}", summary="One deleted repository", responses=refusals(404))
async def get_deleted(uuid: UUID, admin: Admin, caller: Signed) -> ShownDeleted:
    """One that the caller may restore, or purge."""
    return _shown(admin, await admin.ask(_seen, admin, uuid, caller))


@router.post("/{uuid}/restore", summary="Serve a deleted repository again", responses=refusals(400, 404, 409))
async def restore_deleted(uuid: UUID, wanted: RestoreWanted, admin: Admin, caller: Signed) -> Restored:
    """For whoever holds push on it, and on its new name. Manifests, tags and what they were come back."""
    deleted = await admin.ask(_seen, admin, uuid, caller)
    name = RepositoryName.parse(wanted.name) if wanted.name else deleted.repository.name
    for each in (deleted.repository.name, name):
        admin.may.demand(caller, Deed.RESTORE, each)
    return Restored(name=str(await admin.ask(admin.repositories.restore, str(uuid), caller, name)))


@router.delete("/{uuid}", summary="Give up a deleted repository for good", status_code=204, responses=refusals(404))
async def purge_deleted(uuid: UUID, admin: Admin, caller: Signed) -> None:
    """For whoever holds admin on it. The collector's next round takes what no lease holds."""
    deleted = await admin.ask(_seen, admin, uuid, caller)
    admin.may.demand(caller, Deed.PURGE, deleted.repository.name)
    await admin.ask(admin.repositories.purge, str(uuid), caller)


def _seen(admin: Administration, uuid: UUID, caller: Caller) -> DeletedRepository:
    """Raises: DeletedRepositoryUnknown, as well for one that is not the caller's to see."""
    deleted = admin.repositories.get_deleted(str(uuid))
    if not _is_seen(admin, caller, deleted.repository.name):
        raise DeletedRepositoryUnknown(uuid=str(uuid))
    return deleted


def _is_seen(admin: Administration, caller: Caller, name: RepositoryName) -> bool:
    return admin.may.holds(caller, Deed.RESTORE, name) or admin.may.holds(caller, Deed.PURGE, name)


def _shown(admin: Administration, deleted: DeletedRepository) -> ShownDeleted:
    return ShownDeleted.of(deleted, admin.repositories.ends(deleted))


def _last(after: str) -> tuple[str, str]:
    """The name and the UUID that a page begins after; neither has such a sign."""
    name, _, uuid = after.partition("@")
    return name, uuid
