"""The facts of an SQLite registry, once a day, beside the database: what a lost or damaged one is made of again.

DATA/backups/registry-<date>.db, the newest so many
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

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
        """The file, when one was made. Raises: StorageFull, FactsDamaged."""
        now = self._clock()
        target = self._folder / f"registry-{now:%Y-%m-%d}.db"
        if target.exists() or (self._not_before is not None and now < self._not_before):
            return None
        fence = self._tenure.take()
        if fence is None:
            return None
        try:
            # Another process may have been quicker.
            return None if target.exists() else self._made(target, now)
        finally:
            self._tenure.release(fence)

    def _made(self, target: Path, now: datetime) -> Path:
        self._not_before = now + _RESPITE
        make_folder(self._folder)
        for draft in self._folder.glob(".registry-*"):
            draft.unlink()
        self._refuse_narrow()
        draft = target.with_name(f".{target.name}")
        facts_file.vacuum(self._database, draft)
        sync_file(draft)
        draft.rename(target)
        sync_folder(self._folder)
        self._not_before = None
        for old in sorted(each for each in self._folder.iterdir() if _NAME.fullmatch(each.name))[: -self._keep]:
            old.unlink()
        return target

    def _refuse_narrow(self) -> None:
        """As much again is to stay free: pushes need it more. Raises: StorageFull."""
        if shutil.disk_usage(self._folder).free < 2 * self._database.stat().st_size:
            raise StorageFull
