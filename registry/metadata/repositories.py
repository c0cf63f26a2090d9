"""Queries: repositories, and the projects that are charged for what they hold."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.core.facts import Caller, ContentKind, PrincipalKind, Repository
from registry.core.quota import Growth
from registry.core.visible import Visible
from registry.metadata.catalog import listings
from registry.metadata.limits import IS_COUNTED, IS_LIMITED
from registry.metadata.moment import Moment
from registry.metadata.schema import project, project_content, repository
from registry.metadata.schema_people import principal
from registry.metadata.statements import Overtaken, Statement
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName

_FIND: Final = sa.select(
    repository.c.id, repository.c.project_id, repository.c.pushed_at, IS_LIMITED, IS_COUNTED
).where(repository.c.name == p("name"), repository.c.deleted_at.is_(None))
# Held so far that nobody can delete it meanwhile, as what is about to point to it would hold it anyway (design §3).
_HOLD: Final = _FIND.with_for_update(read=True, key_share=True)
# Whoever comes second to a new name waits for the first, and finds what that one made.
_ADD: Final = (
    insert(repository)
    .values(uuid=p("uuid"), name=p("name"), project_id=p("project_id"), created_at=p("created_at"))
    .on_conflict_do_nothing()
    .returning(repository.c.id)
)
_FIND_PROJECT: Final = sa.select(project.c.id).where(project.c.name == p("name"))
_ADD_PROJECT: Final = (
    insert(project)
    .values(
        name=p("name"),
        created_at=p("created_at"),
        # Robots own nothing, nor does whoever asks where nobody is asked who it is.
        owner_id=sa.select(principal.c.id)
        .where(principal.c.id == p("by"), principal.c.kind == p("user"))
        .scalar_subquery(),
    )
    .on_conflict_do_nothing()
    .returning(project.c.id)
)
_ONE_MORE_LINK: Final = (
    insert(project_content)
    .values(project_id=p("project_id"), kind=p("kind"), digest=p("digest"), size=p("size"), links=1)
    .on_conflict_do_update(index_elements=["project_id", "kind", "digest"], set_={"links": project_content.c.links + 1})
    .returning(project_content.c.links)
)


class Repositories:
    """`ports.Repositories`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def find(self, name: RepositoryName) -> Repository | None:
        """The repository of this name that is not deleted."""
        return self._found(_FIND, name)

    def get_or_create(self, name: RepositoryName, by: Caller | None = None) -> Repository:
        """The repository, made with its project if need be, which that user owns then."""
        return self._found(_HOLD, name) or self._create(name, by)

    def _found(self, how: Statement, name: RepositoryName) -> Repository | None:
        row = self._moment.first(how, name=name.text)
        return Repository(row[0], name, row[1], row[2] is not None, bool(row[3]), bool(row[4])) if row else None

    def _create(self, name: RepositoryName, by: Caller | None) -> Repository:
        project_id = self._project(name.project, by)
        row = self._moment.first(
            _ADD, uuid=str(uuid.uuid4()), name=name.text, project_id=project_id, created_at=self._moment.micros
        )
        if row is not None:
            self._moment.tally.add(project_id, Growth(repositories=1))
        # Else, somebody else was quicker.
        created = self._found(_HOLD, name)
        if created is None:
            raise Overtaken(name.text)
        return created

    def _project(self, name: str, by: Caller | None) -> int:
        row = (
            self._moment.first(_FIND_PROJECT, name=name)
            or self._moment.first(
                _ADD_PROJECT,
                name=name,
                created_at=self._moment.micros,
                by=by.principal if by else None,
                user=PrincipalKind.USER.value,
            )
            or self._moment.first(_FIND_PROJECT, name=name)
        )
        if row is None:
            raise Overtaken(name)
        return int(row[0])

    def page(self, visible: Visible, last: str, limit: int, words: str = "") -> Sequence[str]:
        """Names of those visible that hold a manifest, after `last`; with `words` in them."""
        found: list[str] = []
        for statement, values in listings(visible, last, words):
            if len(found) < limit:
                rows = self._moment.run(statement, last=last, limit=limit - len(found), **values)
                found += [row[0] for row in rows]
        return found

    def charge(self, repository: Repository, kind: ContentKind, digest: Digest, size: int) -> None:
        """One more link; its size is charged when it is the project's first."""
        links = self._moment.run(
            _ONE_MORE_LINK, project_id=repository.project, kind=kind.value, digest=digest.packed, size=size
        )[0][0]
        if links == 1 and size:
            self._moment.tally.add(repository.project, Growth(charged=size))
