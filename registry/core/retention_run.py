"""Retention, carried out: by one process in the world at a time, in transactions that are about one manifest each.

    plan ──▶ for each manifest whose tags go, some of these at a time: hold them, and ask of each whether it stands as
             the plan saw it, neither pushed nor pulled since ──▶ end them, and with the last one the manifest

Whoever was quicker wins, and is judged anew by the next run. With an index go its children that nothing else leads to;
referrers follow their subject when that is collected. All of it is an ordinary deletion, which its events explain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from registry.core.deletion import Deletion
from registry.core.facts import Caller, ContentKind, Repository
from registry.core.ports import Metadata, Transaction
from registry.core.rest import batched
from registry.core.retaining import RetentionPlan, RetentionPlanner
from registry.core.retention import Decision, Ending, left_without_tags
from registry.core.sweep import is_paused
from registry.core.tag_rules import RuleKind
from registry.core.tenure import Tenure
from registry.core.visible import Visible
from registry.oci.digest import Digest
from registry.oci.errors import NameUnknown
from registry.oci.manifest import Kind
from registry.oci.names import RepositoryName

LAST_RETAINED: Final = "retention_last"
"""The setting that says when retention ran last."""
_PAGE: Final = 500
# Each takes several statements, and while they are ended nobody else writes to SQLite.
_TAGS: Final = 50


@dataclass(frozen=True, slots=True)
class Retained:
    """What went."""

    tags: int = 0
    manifests: int = 0

    def __add__(self, other: Retained) -> Retained:
        return Retained(self.tags + other.tags, self.manifests + other.manifests)


NOTHING: Final = Retained()


@dataclass(frozen=True, slots=True)
class Retainer:
    """Background work: `run` again and again, it does something every `interval`. `by` is who the events tell of."""

    metadata: Metadata
    planner: RetentionPlanner
    deletion: Deletion
    tenure: Tenure
    by: Caller
    interval: timedelta

    def run(self) -> Retained:
        """What is due by now; nothing where another process is at it. Raises: TenureLost."""
        retained = self.run_now() if self.metadata.observe(self._is_due) else NOTHING
        return retained or NOTHING

    def run_now(self) -> Retained | None:
        """The same, due or not; None where another process is at it. Raises: TenureLost."""
        fence = self.tenure.take()
        if fence is None:
            return None
        retained = NOTHING
        for name in self._repositories():
            retained += self._repository(fence, name)
        self.tenure.transact(fence, _note)
        self.tenure.release(fence)
        return retained

    def _is_due(self, tx: Transaction) -> bool:
        last = tx.settings.find(LAST_RETAINED)
        # One that lies in the future was told by a clock that was ahead.
        waits = last is not None and timedelta(0) <= tx.now - datetime.fromisoformat(last) < self.interval
        return not waits and not is_paused(tx) and bool(tx.tag_rules.enabled(RuleKind.RETENTION))

    def _repositories(self) -> Iterator[RepositoryName]:
        rules = self.metadata.observe(lambda tx: tx.tag_rules.enabled(RuleKind.RETENTION))
        visible, last = Visible.of(rule.repositories for rule in rules), ""
        while page := self._page(visible, last):
            yield from map(RepositoryName, page)
            last = page[-1]

    def _page(self, visible: Visible, last: str) -> Sequence[str]:
        return self.metadata.observe(lambda tx: tx.repositories.page(visible, last, _PAGE))

    def _repository(self, fence: int, name: RepositoryName) -> Retained:
        try:
            plan = self.planner.plan(name)
        except NameUnknown:
            return NOTHING
        takes, retained = left_without_tags(plan.decisions), NOTHING
        for digest, some in _going(plan).items():
            lots = list(batched(some, _TAGS))
            for lot in lots:
                end = partial(self._end_tags, plan, digest, lot, takes_manifest=digest in takes and lot is lots[-1])
                retained += self.tenure.transact(fence, end)
        for each in plan.endings:
            retained += self.tenure.transact(fence, partial(self._end_untagged, plan, each))
        return retained

    def _end_tags(
        self,
        plan: RetentionPlan,
        digest: Digest,
        some: Sequence[Decision],
        tx: Transaction,
        *,
        takes_manifest: bool,
    ) -> Retained:
        """Tags of one manifest, and that too, if it is to go and none is left."""
        repository = plan.repository
        if not _is_current(tx, plan):
            return NOTHING
        is_held = takes_manifest and self.deletion.hold(tx, repository, digest)
        ended = [each for each in some if tx.standings.hold(repository, each.standing.tag) == each.standing]
        for each in ended:
            self.deletion.end_tag(tx, repository, each.standing.tag, self.by, _told(each))
        if not (is_held and len(ended) == len(some)) or not _is_unused(tx, repository, digest):
            return Retained(len(ended))
        return Retained(len(ended), self._end_manifest(tx, repository, digest, _told(some[0])))

    def _end_untagged(self, plan: RetentionPlan, each: Ending, tx: Transaction) -> Retained:
        repository, digest = plan.repository, each.manifest.digest
        if not _is_current(tx, plan) or not self.deletion.hold(tx, repository, digest):
            return NOTHING
        # Looked at by a new statement, now that it is held.
        if not tx.standings.is_untagged(repository, each.manifest):
            return NOTHING
        return Retained(manifests=self._end_manifest(tx, repository, digest, _told(each)))

    def _end_manifest(self, tx: Transaction, repository: Repository, digest: Digest, reason: str) -> int:
        """One that is held, and what only it led to; how many manifests."""
        ended = [digest]
        self.deletion.end_manifest(tx, repository, digest, self.by, reason=reason)
        # It grows while it is walked: an index may list another one.
        for parent in ended:
            for child in _children(tx, repository, parent):
                if self.deletion.hold(tx, repository, child) and _is_unused(tx, repository, child):
                    self.deletion.end_manifest(tx, repository, child, self.by, reason=reason)
                    ended.append(child)
        return len(ended)


def _going(plan: RetentionPlan) -> dict[Digest, list[Decision]]:
    going: dict[Digest, list[Decision]] = defaultdict(list)
    for each in plan.decisions:
        if not each.stays:
            going[each.standing.digest].append(each)
    return going


def _children(tx: Transaction, repository: Repository, parent: Digest) -> list[Digest]:
    """In the order in which manifests are locked."""
    parts = tx.manifests.parts(repository, parent)
    return sorted({each.digest for each in parts if each.kind is Kind.CHILD}, key=lambda digest: digest.packed)


def _is_unused(tx: Transaction, repository: Repository, digest: Digest) -> bool:
    """Whether neither a tag nor an index that is visible leads to it."""
    if tx.standings.is_tagged(repository, digest):
        return False
    return not tx.manifests.holders(repository, ContentKind.MANIFEST, digest)


def _is_current(tx: Transaction, plan: RetentionPlan) -> bool:
    """Whether the plan's rules still stand, for a repository that is still there."""
    if is_paused(tx) or tx.tag_rules.generation() != plan.generation:
        return False
    return tx.repositories.find(plan.repository.name) == plan.repository


def _note(tx: Transaction) -> None:
    """That it ran; while all is paused it has done nothing, and is not put off by that."""
    if not is_paused(tx):
        tx.settings.put(LAST_RETAINED, tx.now.isoformat())


def _told(each: Decision | Ending) -> str:
    """For the audit log."""
    return f"retention: {each.reason}" + (f" ({each.rule}; {each.rule.uuid})" if each.rule else "")
