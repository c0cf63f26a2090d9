"""An fsck: walk the store, then the rows, then what projects are charged; judge, look again, and do what is allowed.

    store ──page──▶ its rows ──judge──▶ old enough? still there? ──▶ finding ──plan──▶ remedy
    rows ──page──▶ judge, and the store's size where the walk did not meet it ──▶ the row again ──▶ finding ──▶ remedy
    contents, projects ──page──▶ judge ──▶ finding ──▶ remedy

Each page is forgotten before the next one comes; what stays is one bit for each object that the store was seen to hold
whole, so that the rows need not ask for it one by one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from registry.core.fsck import (
    Allowed,
    Finding,
    Outcome,
    judge_bytes,
    judge_content,
    judge_damaged,
    judge_held,
    judge_lack,
    judge_miscount,
    judge_row,
    judge_usage,
    plan,
)
from registry.core.fsck_bytes import judge_read
from registry.core.fsck_facts import (
    ContentRow,
    Held,
    HeldKind,
    ObjectRow,
    ObjectState,
    ProjectUsage,
)
from registry.core.fsck_places import place
from registry.core.fsck_remedies import Physician
from registry.core.fsck_report import Report
from registry.core.ports import Hashes, Metadata, ObjectStore, StoreInventory, Transaction
from registry.core.sweep import COLLECTOR_PAUSED
from registry.core.watching import Watcher

A = TypeVar("A")
B = TypeVar("B")
R = TypeVar("R", ObjectRow, ContentRow, ProjectUsage)

_ROWS: Final = 500
# Each may have 4 MiB.
_CONTENTS: Final = 16
_PROJECTS: Final = 100
_MANIFESTS: Final = 500
_MISCOUNTS: Final = 1000


class Many(Protocol):
    """Does the same for many, several at a time; the answers in their order."""

    def __call__(self, work: Callable[[A], B], each: Iterable[A], /) -> Iterator[B]: ...


@dataclass(slots=True)
class Seen:
    """A bit for each row's id."""

    bits: bytearray = field(default_factory=bytearray)

    def add(self, number: int) -> None:
        """It was seen."""
        if number >> 3 >= len(self.bits):
            self.bits.extend(bytes((number >> 3) + 1 - len(self.bits)))
        self.bits[number >> 3] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        return number >> 3 < len(self.bits) and bool(self.bits[number >> 3] & 1 << (number & 7))


class Fsck:
    """One run; again and again does no harm, nor does a kill: each repair is one transaction."""

    def __init__(
        self,
        metadata: Metadata,
        store: ObjectStore,
        inventory: StoreInventory,
        hashes: Hashes,
        allowed: Allowed,
        many: Many,
        watcher: Watcher,
    ) -> None:
        self._metadata = metadata
        self._store = store
        self._inventory = inventory
        self._hashes = hashes
        self._allowed = allowed
        self._many = many
        self._watcher = watcher
        self._physician = Physician(metadata, store, inventory, hashes)
        self._whole = Seen()
        self._report = Report()

    def run(self) -> Report:
        """Everything that is allowed. Raises: Unavailable, StorageFull, and what the data folder's disk says."""
        objects, contents, projects, last_manifest = self._metadata.observe(lambda tx: tx.inventory.count())
        self._watcher.begins("what the store holds", objects)
        for page in self._inventory.pages():
            self._held(page)
            self._watcher.advances(len(page))
        self._watcher.begins("objects", objects)
        self._walk(lambda tx, after: tx.inventory.objects(after, _ROWS), self._objects)
        # Few bytes each: to read and hash a million of them takes a minute.
        self._watcher.begins("contents", contents)
        self._walk(lambda tx, after: tx.inventory.contents(after, _CONTENTS), self._contents)
        self._watcher.begins("projects", projects)
        self._walk(lambda tx, after: tx.usage.projects(after, _PROJECTS), self._projects)
        if not self._allowed.sparse:
            # Last: by now a link that could be made again is there.
            self._watcher.begins("manifests", last_manifest)
            self._manifests(last_manifest)
        self._release_collector()
        return self._report

    def _walk(self, find: Callable[[Transaction, int], Sequence[R]], look: Callable[[Sequence[R]], None]) -> None:
        """Page by page; each page's reading is over before it is looked at."""

        def page_after(after: int) -> Sequence[R]:
            return self._metadata.observe(lambda tx: find(tx, after))

        page = page_after(0)
        while page:
            look(page)
            page = page_after(page[-1].id)

    # The store

    def _held(self, page: Sequence[Held]) -> None:
        self._report.looked.held += len(page)
        keys = [held.key for held in page if held.key is not None]
        owners = [held.owner for held in page if held.owner is not None and held.owner != held.key]
        now, rows = self._metadata.observe(lambda tx: (tx.now, tx.inventory.named(keys)))
        # After the others: a commit that was seen there has its tails' row here, or that has gone with its tails.
        rows |= self._metadata.observe(lambda tx: tx.inventory.named(owners))
        for held in page:
            row = rows.get(held.key) if held.key is not None and held.kind is HeldKind.OBJECT else None
            if row is not None and row.digest is not None and row.size == held.size:
                self._whole.add(row.id)
        judged = [judge_held(held, rows, self._inventory.is_needed) for held in page]
        strays = [
            (finding, held)
            for finding, held in zip(judged, page, strict=True)
            if finding is not None and held.changed <= now - self._allowed.grace
        ]
        # Whatever was deleted or committed between our looks is gone by now from where we saw it.
        still_there = self._many(self._inventory.holds, [held for _, held in strays])
        left = [finding for (finding, _), is_there in zip(strays, still_there, strict=True) if is_there]
        for finding, outcome in zip(left, self._many(self._treat, left), strict=True):
            self._note(finding, outcome)

    # The rows of objects

    def _objects(self, page: Sequence[ObjectRow]) -> None:
        self._report.looked.objects += len(page)
        for contradiction in itertools.chain.from_iterable(map(judge_row, page)):
            self._settle(contradiction)
        revived = [row.key for row in page if row.digest is not None and row.state is not ObjectState.LIVE]
        if revived:
            again = self._metadata.observe(lambda tx: tx.inventory.named(revived))
            page = [again.get(row.key, row) for row in page]
        asked = [row for row in page if row.is_damaged or (row.is_served and self._is_asked_for(row))]
        self._watcher.advances(len(page) - len(asked))
        for row, finding in zip(asked, self._many(self._judge_bytes, asked), strict=True):
            if self._allowed.read:
                self._report.looked.bytes += row.size
            self._settle(finding)
            self._watcher.advances(1)

    def _is_asked_for(self, row: ObjectRow) -> bool:
        return self._allowed.read or row.id not in self._whole

    def _judge_bytes(self, row: ObjectRow) -> Finding | None:
        """What is wrong with the object of a row that is served, or was, and is so still."""
        size = row.size if row.id in self._whole else self._store.size(row.key)
        if row.is_damaged:
            return self._confirmed(judge_damaged(row, size), row)
        finding = judge_bytes(row, size)
        if finding is None and self._allowed.read:
            finding = judge_read(self._store, self._hashes, row)
        return self._confirmed(finding, row)

    def _confirmed(self, finding: Finding | None, row: ObjectRow) -> Finding | None:
        """None also when the row has changed since: replaced, doomed, healed or marked by somebody else."""
        if finding is None:
            return None
        again = self._metadata.observe(lambda tx: tx.inventory.named([row.key])).get(row.key)
        return finding if again == row else None

    # What lies in SQL

    def _contents(self, page: Sequence[ContentRow]) -> None:
        self._report.looked.contents += len(page)
        self._report.looked.bytes += sum(len(row.content) for row in page)
        for row in page:
            self._settle(judge_content(row))
        self._watcher.advances(len(page))

    def _projects(self, page: Sequence[ProjectUsage]) -> None:
        self._report.looked.projects += len(page)
        for project in page:
            self._settle(judge_usage(project))
            self._miscounts(project)
        self._watcher.advances(len(page))

    def _miscounts(self, project: ProjectUsage) -> None:
        def lot() -> Sequence[Finding]:
            found = self._metadata.observe(lambda tx: tx.usage.miscounts(project.id, _MISCOUNTS))
            return [judge_miscount(project, each) for each in found]

        findings: Sequence[Finding] = lot()
        former: Sequence[Finding] = ()
        while findings and findings != former:
            for finding in findings:
                self._settle(finding)
            # What was repaired is not in the next lot.
            former, findings = findings, lot() if self._allowed.repair else ()

    def _manifests(self, last: int) -> None:
        for after in range(0, last, _MANIFESTS):
            until = min(last, after + _MANIFESTS)
            for lack in self._metadata.observe(lambda tx: tx.inventory.lacks(after, until)):  # noqa: B023  run at once
                content = self._metadata.observe(lambda tx: tx.inventory.content(lack.manifest))  # noqa: B023  the same
                self._settle(judge_lack(lack, content or b""))
            self._watcher.advances(until - after)

    # What is done about it

    def _settle(self, finding: Finding | None) -> None:
        """Do what may be done about it, and note what came of that."""
        if finding is not None:
            self._note(finding, self._treat(finding))

    def _treat(self, finding: Finding) -> Outcome | None:
        remedy = plan(finding, self._allowed)
        return Outcome.LEFT if remedy is None else self._physician.apply(remedy, finding)

    def _note(self, finding: Finding, outcome: Outcome | None) -> None:
        """With whom it hits; nothing where it was no more when it came to the remedy."""
        if outcome is not None:
            is_told = self._report.tells(finding.what)
            self._report.finds(place(self._metadata, finding) if is_told else finding, outcome)

    def _release_collector(self) -> None:
        """Where it was paused: when nothing is left, or an operator has decided to live with what is."""
        paused = self._metadata.observe(lambda tx: tx.settings.find(COLLECTOR_PAUSED))
        if paused is None:
            return
        if self._report.left and not self._allowed.resume:
            self._report.paused = paused
            return
        self._metadata.transact(lambda tx: tx.settings.remove(COLLECTOR_PAUSED))
        self._report.is_released = True
