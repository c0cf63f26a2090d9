"""Queries: repositories, and the projects that are charged for what they hold."""

from __future__ import annotations

import uuid
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import ContentKind, Repository
from registry.metadata.moment import Moment
from registry.metadata.schema import project, project_content, repository
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName

_FIND: Final = sa.select(repository.c.id, repository.c.project_id, repository.c.pushed_at).where(
    repository.c.name == p("name"), repository.c.deleted_at.is_(None)
)
_ADD: Final = (
    sa.insert(repository)
    .values(uuid=p("uuid"), name=p("name"), project_id=p("project_id"), created_at=p("created_at"))
    .returning(repository.c.id)
)
_FIND_PROJECT: Final = sa.select(project.c.id).where(project.c.name == p("name"))
_ADD_PROJECT: Final = insert(project).values(name=p("name"), created_at=p("created_at")).returning(project.c.id)
_ONE_MORE_LINK: Final = (
    insert(project_content)
    .values(project_id=p("project_id"), kind=p("kind"), digest=p("digest"), size=p("size"), links=1)
    .on_conflict_do_update(index_elements=["project_id", "kind", "digest"], set_={"links": project_content.c.links + 1})
    .returning(project_content.c.links)
)
_CHARGE: Final = sa.update(project).where(project.c.id == p("project")).values(used=project.c.used + p("more"))


class Repositories:
    """`ports.Repositories`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def find(self, name: RepositoryName) -> Repository | None:
        """The repository of this name that is not deleted."""
        row = self._moment.first(_FIND, name=name.text)
        return Repository(row[0], name, row[1], row[2] is not None) if row else None

    def get_or_create(self, name: RepositoryName) -> Repository:
        """The repository, made with its project if need be."""
        found = self.find(name)
        if found is not None:
            return found
        project_id = self._project(name.project)
        rows = self._moment.run(
            _ADD, uuid=str(uuid.uuid4()), name=name.text, project_id=project_id, created_at=self._moment.micros
        )
        return Repository(rows[0][0], name, project_id)

    def _project(self, name: str) -> int:
        row = self._moment.first(_FIND_PROJECT, name=name)
        if row is None:
            row = self._moment.run(_ADD_PROJECT, name=name, created_at=self._moment.micros)[0]
        return int(row[0])

    def charge(self, repository: Repository, kind: ContentKind, digest: Digest, size: int) -> None:
        """One more link; its size is charged when it is the project's first."""
        links = self._moment.run(
            _ONE_MORE_LINK, project_id=repository.project, kind=kind.value, digest=digest.packed, size=size
        )[0][0]
        if links == 1 and size:
            self._moment.run(_CHARGE, project=repository.project, more=size)
