"""The facts of an SQLite registry, once a day, beside the database: what a lost or damaged one is made of again.

DATA/backups/registry-<date>.db, the newest so many
"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from registry.backup.hold import Hold, renewed
from registry.core.tenure import Tenure
from registry.metadata import facts_file
from registry.oci.errors import StorageFull
from registry.storage.durable import make_folder, sync_file, sync_folder

_NAME: Final = re.compile(r"registry-\d{4}-\d{2}-\d{2}\.db")
_RESPITE: Final = timedelta(hours=1)
"""After a failure: to try each minute would fill the disk each minute."""


class DailyFacts:
    """Due as soon as a day has begun; `run` as often as you like."""

    def __init__(self, database: Path, folder: Path, keep: int, tenure: Tenure, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._folder = folder
        self._keep = keep
        self._tenure = tenure
        self._clock = clock
        self._not_before: datetime | None = None

    def run(self) -> Path | None:
        """The file, when one was made. Raises: StorageFull, FactsDamaged, TenureLost."""
        now = self._clock()
        target = self._folder / f"registry-{now:%Y-%m-%d}.db"
        if target.exists() or (self._not_before is not None and now < self._not_before):
            return None
        fence = self._tenure.take()
        if fence is None:
            return None
        # A large database takes longer than a lease.
        with renewed(self._tenure, fence) as hold:
            # Another process may have been quicker.
            return None if target.exists() else self._made(target, now, hold)

    def _made(self, target: Path, now: datetime, hold: Hold) -> Path:
        self._not_before = now + _RESPITE
        make_folder(self._folder)
        for draft in self._folder.glob(".registry-*"):
            draft.unlink()
        self._refuse_narrow()
        # A name of its own: whoever slept through its lease neither takes another's half for its whole nor removes it.
        draft = self._folder / f".registry-{uuid.uuid4()}.db"
        try:
            facts_file.vacuum(self._database, draft)
            sync_file(draft)
            hold.confirm()
            draft.rename(target)
        finally:
            facts_file.remove(draft)
        sync_folder(self._folder)
        self._not_before = None
        self._remove_old(target)
        return target

    def _remove_old(self, newest: Path) -> None:
        """What a clock that was wrong has dated later than today is nobody's to count."""
        dated = sorted(each for each in self._folder.iterdir() if _NAME.fullmatch(each.name))
        for old in [each for each in dated if each <= newest][: -self._keep]:
            old.unlink()

    def _refuse_narrow(self) -> None:
        """As much again is to stay free: pushes need it more. Raises: StorageFull."""
        if shutil.disk_usage(self._folder).free < 2 * self._database.stat().st_size:
            raise StorageFull
