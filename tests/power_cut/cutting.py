"""Cutting the power at every point of a recording, and opening whatever may be left."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.power_cut.disk import Disk, Tree
from tests.power_cut.recording import Recording
from tests.power_cut.recovery import Recovered, recover
from tests.power_cut.story import Promised
from tests.power_cut.survivals import survivals


def no_lies(_path: str) -> bool:
    """A disk that does what it is told."""
    return False


@dataclass
class Cutter:
    """`folder` is for what is left, one after the other; what has been opened once is remembered."""

    recording: Recording
    folder: Path
    known: dict[bytes, Recovered] = field(default_factory=dict)

    def wrongs(self, lies: Callable[[str], bool] = no_lies) -> Iterator[str]:
        """All that is wrong wherever the power is cut once the registry serves; on a disk that may lie."""
        disk = Disk(lies)
        for number, operation in enumerate(self.recording.operations):
            disk.apply(operation)
            if number < self.recording.ready:
                continue
            answered = sum(each <= number for each in self.recording.answered)
            promised = Promised.after(self.recording.steps, answered)
            for choice, survivors in enumerate(survivals(disk.loose)):
                found = self._opened(disk.left(survivors))
                for wrong in (*promised.broken(found.state), *found.complaints):
                    yield f"after {number} ({str(operation)[:60]}), {answered} answers, choice {choice}: {wrong}"

    def _opened(self, tree: Tree) -> Recovered:
        mark = _mark(tree)
        if mark not in self.known:
            self.folder.mkdir()
            try:
                self.known[mark] = recover(tree, self.folder, self.recording.things)
            except Exception as error:
                # Whatever it cannot do with what is left is what we want to know.
                self.known[mark] = Recovered(dict.fromkeys(self.recording.things), (f"does not open: {error!r}",))
            finally:
                shutil.rmtree(self.folder)
        return self.known[mark]


def _mark(tree: Tree) -> bytes:
    hasher = hashlib.sha256()
    for path, content in sorted(tree.items()):
        hasher.update(f"{path} {'/' if content is None else len(content)} ".encode())
        hasher.update(content or b"")
    return hasher.digest()
