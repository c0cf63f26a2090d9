"""Queries: what a project is charged for no more (design 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import ContentKind
from registry.core.quota import Growth
from registry.metadata.lots import DIGEST, NUMBER, filled, lot
from registry.metadata.moment import Moment
from registry.metadata.schema import project_content
from registry.oci.digest import Digest

_lot: Final = lot(project_id=NUMBER, digest=DIGEST, links=NUMBER)
_charged: Final = (
    project_content.c.project_id == _lot.c.project_id,
    project_content.c.kind == p("of_kind"),
    project_content.c.digest == _lot.c.digest,
)
# By digest, like everybody who locks more than one (design §2).
_HOLD: Final = (
    sa.select(project_content.c.digest)
    .select_from(_lot.join(project_content, sa.and_(*_charged)))
    .order_by(project_content.c.project_id, project_content.c.digest)
    .with_for_update(of=project_content)
)
_FEWER_LINKS: Final = (
    sa.update(project_content)
    .where(*_charged)
    .values(links=project_content.c.links - _lot.c.links)
    .returning(project_content.c.project_id, project_content.c.digest, project_content.c.size, project_content.c.links)
)
_UNCHARGE: Final = sa.delete(project_content).where(
    project_content.c.project_id == p("project"),
    project_content.c.kind == p("of_kind"),
    project_content.c.digest == p("which"),
)


def refund(moment: Moment, kind: ContentKind, links: Iterable[tuple[int, Digest]]) -> None:
    """One link less for each project and digest; a size is given back with the last of them."""
    fewer = filled((project, digest, count) for (project, digest), count in Counter(links).items())
    moment.run(_HOLD, of_kind=kind.value, **fewer)
    over = [row[:3] for row in moment.run(_FEWER_LINKS, of_kind=kind.value, **fewer) if row[3] == 0]
    moment.run_many(_UNCHARGE, [{"project": row[0], "of_kind": kind.value, "which": row[1]} for row in over])
    for project, _, size in over:
        moment.tally.add(project, Growth(charged=-size))
