"""What a pass of scrubbing has done and not yet written down.

It is gathered, so that it costs a commit every few seconds and not one for each blob; a kill costs those few seconds
of reading.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from registry.core.facts import ObjectKey
from registry.core.fsck_facts import ObjectRow
from registry.core.ports import Metadata, Transaction
from registry.core.scrub_facts import DOUBTS, WALK, Doubts, Progress, Walk

_EVERY: Final = 10.0
"""Seconds between two commits: each has every worker look at the database anew."""
_MOST: Final = 500


class Ledger:
    """Read at a pass's beginning, from the settings; `place` is the one that keeps how far a large object was read."""

    def __init__(self, metadata: Metadata, clock: Callable[[], float], place: str) -> None:
        self._metadata = metadata
        self._clock = clock
        self._place = place
        self._written = metadata.observe(lambda tx: {name: tx.settings.find(name) for name in (place, WALK, DOUBTS)})
        progress, walk = self._written[place], self._written[WALK]
        self._progress = Progress.parse(progress) if progress else None
        self.walk = Walk.parse(walk) if walk else None
        self.doubts = Doubts.parse(self._written[DOUBTS])
        self._looked: list[ObjectRow] = []
        self._since = clock()

    @property
    def is_due(self) -> bool:
        """Whether it is time to write down."""
        return self._clock() - self._since >= _EVERY

    def begun(self, key: ObjectKey) -> Progress | None:
        """How far this object was read before somebody was stopped."""
        return self._progress if self._progress is not None and self._progress.key == key else None

    def reads(self, progress: Progress) -> None:
        """An object was read so far, and that is written down."""
        # Where a hash cannot be saved there is nothing to go on with.
        self._progress = progress if progress.hash.state is not None else None
        self.flush()

    def looked(self, row: ObjectRow) -> None:
        """An object was read to its end, and decided about."""
        self._looked.append(row)
        self.doubts.forget(row.key)
        if self.begun(row.key) is not None:
            self._progress = None
        if self.is_due or len(self._looked) >= _MOST:
            self.flush()

    def walks(self, walk: Walk) -> None:
        """What lies in SQL was looked at so far."""
        self.walk = walk
        if self.is_due:
            self.flush()

    def flush(self) -> None:
        """Write it all down. Raises: TenureLost, where another process is at it by now."""
        looked, texts = self._looked, self._texts()
        changed = {name: text for name, text in texts.items() if text != self._written[name]}

        def write(tx: Transaction) -> None:
            tx.scrubbing.looked(looked)
            for name, text in changed.items():
                tx.settings.remove(name) if text is None else tx.settings.put(name, text)

        self._metadata.transact(write)
        self._looked, self._written, self._since = [], texts, self._clock()

    def _texts(self) -> dict[str, str | None]:
        return {
            self._place: str(self._progress) if self._progress else None,
            WALK: str(self.walk) if self.walk else None,
            DOUBTS: str(self.doubts) if self.doubts.each else None,
        }
