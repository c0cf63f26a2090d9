"""Queries: projects, and who owns them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.quota import Project
from registry.metadata.moment import Moment
from registry.metadata.schema import project
from registry.metadata.schema_people import principal

_PROJECTS: Final = sa.select(project.c.id, project.c.name, project.c.used, principal.c.name).select_from(
    project.outerjoin(principal, principal.c.id == project.c.owner_id)
)
# Held before its owner, as by everybody who charges it.
_FIND: Final = _PROJECTS.where(project.c.name == p("name")).with_for_update(of=project, key_share=True)
_PAGE: Final = (
    _PROJECTS.where(
        project.c.name > p("last"),
        # LIKE knows wildcards, which nobody means here.
        sa.or_(p("words", type_=sa.Text) == "", sa.func.replace(project.c.name, p("words"), "") != project.c.name),
    )
    .order_by(project.c.name)
    .limit(p("limit"))
)
_OWN: Final = sa.update(project).where(project.c.id == p("project")).values(owner_id=p("owner"))


class Projects:
    """`nouns.Projects`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def find(self, name: str) -> Project | None:
        """By its name."""
        row = self._moment.first(_FIND, name=name)
        return Project(*row) if row else None

    def page(self, last: str, limit: int, words: str = "") -> Sequence[Project]:
        """By their names, after `last`."""
        return [Project(*row) for row in self._moment.run(_PAGE, last=last, limit=limit, words=words)]

    def own(self, project: Project, owner: int | None) -> None:
        """Whoever charges it at this moment does so before or after."""
        self._moment.run(_OWN, project=project.id, owner=owner)
