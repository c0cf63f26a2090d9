"""Queries: which repositories there are, as far as somebody may see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.visible import Stretch, Visible
from registry.metadata.schema import manifest, repository
from registry.metadata.statements import Statement

# From stretch to stretch, which the index has in order: what lies far from what somebody may see costs nothing.
# A repository that holds nothing yet, because its first push is under way or failed, is no news to anybody.
_CATALOG: Final = (
    sa.select(repository.c.name)
    .where(repository.c.name >= p("first"), repository.c.name < p("end"), repository.c.name > p("last"))
    .where(repository.c.deleted_at.is_(None), repository.c.pushed_at.is_not(None))
    .where(
        sa.exists()
        .where(manifest.c.repository_id == repository.c.id, manifest.c.deleted_at.is_(None))
        .correlate(repository)
    )
    .order_by(repository.c.name)
    .limit(p("limit"))
)
_CATALOG_OF: Final = _CATALOG.where(
    repository.c.name.regexp_match(p("allowed")),
    repository.c.name.regexp_match(p("within")),
    sa.not_(repository.c.name.regexp_match(p("denied"))),
)
_WORDS: Final = sa.func.replace(repository.c.name, p("words", type_=sa.Text), "") != repository.c.name
_SEARCH: Final = _CATALOG.where(_WORDS)
_SEARCH_OF: Final = _CATALOG_OF.where(_WORDS)
# Regular expressions that say nothing of any name, and of no name anything.
_ANY: Final = ""
_NONE: Final = "^$"


def listings(visible: Visible, last: str, words: str = "") -> Iterator[tuple[Statement, Mapping[str, str]]]:
    """What to ask, one after the other until enough is found, of names that come after `last` and hold `words`.

    `last` and `limit` are the asker's to add.
    """
    searched = {"words": words} if words else {}
    whole, matching = (_SEARCH, _SEARCH_OF) if words else (_CATALOG, _CATALOG_OF)
    for stretch in visible.stretches:
        if last < stretch.span.end:
            where = {**searched, "first": stretch.span.first, "end": stretch.span.end}
            yield (whole, where) if stretch.is_whole else (matching, where | _expressions(stretch))


def _expressions(stretch: Stretch) -> dict[str, str]:
    return {
        "allowed": _whole(stretch.allowed, _ANY),
        "within": _whole(stretch.within, _ANY),
        "denied": _whole(stretch.denied, _NONE),
    }


def _whole(regex: str | None, without: str) -> str:
    """For whole names; `without` where there is none."""
    return without if regex is None else f"^(?:{regex})$"
