"""A backup: the facts of one instant first, then every object that they name, and last the word that it is whole.

    lease taken ──▶ facts of an instant ──▶ objects, each verified ──▶ lease still ours? ──▶ backup.json ──▶ old ones go

Between the first and the last no object can go (registry/core/sweep.py), so all that the facts name is there to copy;
what is pushed or deleted meanwhile is none of this backup's business.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from registry.backup.copying import Crew, Damaged
from registry.backup.folder import BackupFolder, Whole, digest_of
from registry.backup.hold import Hold
from registry.backup.report import Report, Watcher
from registry.core.ports import ObjectLost, ObjectStore
from registry.metadata import facts_file, snapshot
from registry.metadata.kept_facts import KeptObject, Snapshot


@dataclass(frozen=True, slots=True)
class Backup:
    """One run into one folder, which is ours to write to; `key` is the key file, or None to leave it out."""

    database: Path | str
    store: ObjectStore
    folder: BackupFolder
    key: bytes | None
    threads: int
    watcher: Watcher

    def run(self, hold: Hold, at: datetime, *, keep: bool = False) -> Report:
        """With `keep`, or with something broken, what only earlier backups are made of stays.

        Raises: TenureLost, StorageFull, Unavailable, FactsDamaged; whatever is raised, the backup before this one is
        still there.
        """
        draft = self.folder.draft(at)
        snapshot.take(self.database, draft)
        try:
            with closing(Snapshot(draft)) as facts:
                report = Report(facts.instance, at.isoformat(), facts.counts())
                self._copy(facts, hold, report)
                whole = self._whole(facts, draft, report)
                hold.confirm()
                self.folder.finish(draft, whole, self.key)
                # What is broken now, an earlier backup may have had whole under another key.
                if not keep and not report.broken:
                    report.removed = self.folder.prune(whole, facts.keys)
        finally:
            facts_file.remove(draft)
        return report

    def _copy(self, facts: Snapshot, hold: Hold, report: Report) -> None:
        self.watcher.begins(*facts.totals())
        crew = Crew(self.threads)
        for copied in crew.each(lambda kept: self._save(crew, kept), facts.objects(), hold.check):
            report.count(copied)
            self.watcher.advances(copied.kept.size)

    def _save(self, crew: Crew, kept: KeptObject) -> bool:
        if self.folder.has(kept.key, kept.size):
            return False
        if kept.is_damaged:
            raise Damaged("it is marked damaged")
        try:
            stream = self.store.open(kept.key)
        except ObjectLost:
            raise Damaged("it is missing") from None
        with stream:
            self.folder.put(kept.key, crew.verified(stream, kept))
        return True

    def _whole(self, facts: Snapshot, draft: Path, report: Report) -> Whole:
        objects, size = facts.totals()
        return Whole(
            instance=report.instance,
            at=report.at,
            revision=facts.revision,
            facts=draft.name.removeprefix("."),
            facts_digest=digest_of(draft),
            counts=report.counts,
            objects=objects,
            object_bytes=size,
            broken=len(report.broken) + len(report.known),
            has_key=self.key is not None,
        )
