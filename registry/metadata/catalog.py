"""Queries: which repositories there are, as far as somebody may see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.rights import Visible
from registry.metadata.schema import manifest, repository
from registry.metadata.statements import Statement

# A repository that holds nothing yet, because its first push is under way or failed, is no news to anybody.
_CATALOG: Final = (
    sa.select(repository.c.name)
    .where(repository.c.name > p("last"), repository.c.deleted_at.is_(None), repository.c.pushed_at.is_not(None))
    .where(
        sa.exists()
        .where(manifest.c.repository_id == repository.c.id, manifest.c.deleted_at.is_(None))
        .correlate(repository)
    )
    .order_by(repository.c.name)
    .limit(p("limit"))
)
# Of who may not see all: within a span, which the index has in order, so that what is far from it costs nothing.
_CATALOG_OF: Final = _CATALOG.where(
    repository.c.name >= p("first"),
    repository.c.name < p("end"),
    repository.c.name.regexp_match(p("allowed")),
    repository.c.name.regexp_match(p("within")),
    sa.not_(repository.c.name.regexp_match(p("denied"))),
)
_WORDS: Final = sa.func.replace(repository.c.name, p("words", type_=sa.Text), "") != repository.c.name
_SEARCH: Final = _CATALOG.where(_WORDS)
_SEARCH_OF: Final = _CATALOG_OF.where(_WORDS)


def listings(visible: Visible, last: str, words: str = "") -> Iterator[tuple[Statement, Mapping[str, str]]]:
    """What to ask, one after the other until enough is found, of names that come after `last` and hold `words`.

    `last` and `limit` are the asker's to add.
    """
    searched = {"words": words} if words else {}
    if visible.is_all:
        yield _SEARCH if words else _CATALOG, searched
        return
    regexes = {
        "allowed": _whole(visible.allowed, ".*"),
        "within": _whole(visible.within, ".*"),
        "denied": _whole(visible.denied, "^$"),
    }
    for span in visible.spans:
        if last < span.end:
            yield _SEARCH_OF if words else _CATALOG_OF, {**regexes, **searched, "first": span.first, "end": span.end}


def _whole(regex: str | None, without: str) -> str:
    """For whole names; `without` where there is none."""
    return without if regex is None else f"^(?:{regex})$"
