"""Recounting: what projects are charged is compared with what they hold, and set right (design §4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from registry.core.facts import ContentKind
from registry.core.fsck import Finding, judge_miscount, judge_usage
from registry.core.fsck_facts import Miscount, ProjectUsage
from registry.core.ports import Metadata, Transaction

_PROJECTS: Final = 100
_MISCOUNTS: Final = 500


def recount(tx: Transaction, project: int, miscount: Miscount | None) -> None:
    """Set one content right, if that is what is wrong, and the project's counter."""
    if miscount is not None:
        if miscount.kind is ContentKind.BLOB:
            tx.usage.relink(project, miscount.digest)
        tx.usage.recount(project, miscount.kind, miscount.digest)
    tx.usage.resum(project)


@dataclass(frozen=True, slots=True)
class Recounter:
    """The registry may be used meanwhile."""

    metadata: Metadata

    def run(self, project: int | None = None) -> Iterator[Finding]:
        """What was wrong of all projects, or of one, and is right now."""
        after = 0 if project is None else project - 1
        while page := self._page(after, 1 if project is not None else _PROJECTS):
            for each in page:
                yield from self._set_right(each)
            after = page[-1].id
            if project is not None:
                return

    def _page(self, after: int, limit: int) -> Sequence[ProjectUsage]:
        return self.metadata.observe(lambda tx: tx.usage.projects(after, limit))

    def _set_right(self, project: ProjectUsage) -> Iterator[Finding]:
        former: Sequence[Miscount] = ()
        # What was set right is not in the next lot.
        while (found := self._miscounts(project.id)) and found != former:
            for each in found:
                self._recount(project.id, each)
                yield judge_miscount(project, each)
            former = found
        finding = judge_usage(project)
        if finding is not None:
            self._recount(project.id, None)
            yield finding

    def _miscounts(self, project: int) -> Sequence[Miscount]:
        return self.metadata.observe(lambda tx: tx.usage.miscounts(project, _MISCOUNTS))

    def _recount(self, project: int, miscount: Miscount | None) -> None:
        self.metadata.transact(lambda tx: recount(tx, project, miscount))
