"""Finding repositories by a part of their names: nobody finds what it may not pull."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.core.access import Access
from registry.core.facts import Caller
from registry.core.ports import Metadata


@dataclass(frozen=True, slots=True)
class SearchService:
    """The rules; what is hidden is hidden by the query, so that a page is as long as it was asked to be."""

    metadata: Metadata
    access: Access

    def page(self, caller: Caller, words: str, last: str, limit: int) -> Sequence[str]:
        """By their names, after `last`; those that hold `words`, however these are written."""
        visible = self.access.visible(caller)
        return self.metadata.observe(lambda tx: tx.repositories.page(visible, last, limit, words.lower()))
