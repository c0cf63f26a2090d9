"""Usage explained, as people ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from registry.core.nouns.holdings import Sharer
from registry.core.ports import Metadata, Transaction
from registry.core.refusals import ProjectUnknown
from registry.core.usage_parts import ExplainedUsage


@dataclass(frozen=True, slots=True)
class UsageService:
    """The rules; who may ask is decided before."""

    metadata: Metadata
    undo_window: timedelta

    def explain(self, name: str) -> ExplainedUsage:
        """Raises: ProjectUnknown."""

        def look(tx: Transaction) -> ExplainedUsage:
            project = tx.projects.find(name)
            if project is None:
                raise ProjectUnknown(name=name[:300])
            return tx.explained.usage(project, tx.now - self.undo_window)

        return self.metadata.observe(look)

    def sharers(self, name: str, limit: int) -> Mapping[str, Sequence[Sharer]]:
        """With whom each repository of the project shares most; what it serves under its name by now."""

        def look(tx: Transaction) -> Mapping[str, Sequence[Sharer]]:
            return {each.name.text: tx.holdings.sharers(each, limit) for each in tx.explained.repositories(name)}

        return self.metadata.observe(look)
