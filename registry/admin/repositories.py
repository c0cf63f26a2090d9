"""`/repositories`: what there is to pull, for whoever may pull it."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from registry.admin.asking import Admin, Signed
from registry.admin.paging import Page, Paged, Words

router = APIRouter(prefix="/repositories", tags=["repositories"])


class Repository(BaseModel):
    """One that holds a manifest."""

    name: str


@router.get("", summary="Repositories that the caller may pull, by name")
async def list_repositories(admin: Admin, caller: Signed, paging: Paged, q: Words = "") -> Page[Repository]:
    """For anybody, a credential with limits included: within these."""
    found = await admin.ask(admin.search.page, caller, q, paging.after, paging.more)
    return paging.page(found, lambda name: Repository(name=name), str)
