"""A registry that is watched while it lives through the story: every operation on its files, every answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.power_cut.operations import STRACE, Answered, Operation, Reader
from tests.power_cut.story import OWN, Step, Thing, live
from tests.soak.ground import PROGRAM
from tests.support.client import RegistryClient
from tests.support.server import RunningServer, Setting
from tests.system.waiting import eventually

SETTINGS: Final[Mapping[str, Setting]] = {
    "open": True,
    "lease": "6s",
    "undo_window": "0s",
    "delete_delay": "0s",
    "sweep_interval": "4s",
    "backup_keep": 0,
    "access_log": False,
}


@dataclass(frozen=True, slots=True)
class Recording:
    """What happened, and which of the operations were the answers to the steps; before `ready` it was starting."""

    operations: Sequence[Operation]
    steps: Sequence[Step]
    answered: Sequence[int]
    ready: int

    @property
    def things(self) -> Sequence[Thing]:
        """All that is ever promised."""
        return list(dict.fromkeys(thing for step in self.steps for thing in step.promised))


class _Watched(RunningServer):
    """The leader of its process group is strace, which leaves when the registry has."""

    @property
    def trace(self) -> Path:
        return self.data.with_name("trace")

    def _command(self) -> list[str]:
        return [*STRACE, "-o", str(self.trace), *super()._command()]

    def end(self) -> None:
        """Have the registry itself end in good order, so that the log is whole."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        eventually("the registry has left", lambda: not self.alive)


def record(folder: Path) -> Recording:
    """Start, live, collect, end."""
    with _Watched(folder / "data", SETTINGS, program=PROGRAM) as server, server.http() as http:
        steps = list(live(RegistryClient(http)))
        eventually("what nothing holds is gone from the disk", lambda: not _holds(server.data, OWN.size), within=60)
        server.end()
    with server.trace.open(encoding="ascii") as lines:
        operations = Reader(str(server.data)).read(lines)
    answers = [number for number, each in enumerate(operations) if isinstance(each, Answered)]
    # What was answered first was asked by who waited for the registry to be ready.
    first, told = answers[-len(steps) - 1], answers[-len(steps) :]
    assert [_status(operations[number]) for number in told] == [step.status for step in steps]
    return Recording(operations, steps, told, first)


def _status(operation: Operation) -> int:
    assert isinstance(operation, Answered)
    return operation.status


def _holds(data: Path, size: int) -> bool:
    return any(file.stat().st_size == size for file in (data / "blobs").glob("*/*"))
