"""Lists, by keyset: a page begins after the last entry of the one before it, whatever came and went meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from registry.admin.texts import ONE_LINE

LONGEST_PAGE: Final = 500
_ORDINARY: Final = 100

Shown = TypeVar("Shown", bound=BaseModel)
Found = TypeVar("Found")


class Page(BaseModel, Generic[Shown]):
    """Some entries, in their order."""

    items: list[Shown]
    next: str | None = Field(description="what to ask for as `after`, if there are more")


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is asked for."""

    limit: int
    after: str

    @property
    def more(self) -> int:
        """How many to look for: by one more than is shown, it is known that there are more."""
        return self.limit + 1

    def page(self, found: Sequence[Found], show: Callable[[Found], Shown], key: Callable[[Found], str]) -> Page[Shown]:
        """The first of those that were found; `key` is what the next page begins after."""
        shown = found[: self.limit]
        return Page(items=[show(each) for each in shown], next=key(shown[-1]) if len(found) > self.limit else None)


async def _paging(
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE, description="how many at the most")] = _ORDINARY,
    after: Annotated[str, Query(max_length=600, pattern=ONE_LINE, description="`next` of the page before")] = "",
) -> Paging:
    return Paging(limit, after)


Paged = Annotated[Paging, Depends(_paging)]
Words = Annotated[str, Query(max_length=200, pattern=ONE_LINE, description="a part of what is looked for")]
