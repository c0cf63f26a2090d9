"""The processes of a running server, as the kernel tells of them."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.server import RunningServer


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    group: int

    @property
    def peak_memory(self) -> int:
        """The most that was ever resident, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        peak = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        assert peak is not None
        return int(peak[1]) * 1024


def processes_of(server: RunningServer) -> list[Process]:
    """All of its process group, the leader first."""
    found = [_process(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    own = [process for process in found if process and process.group == server.pid]
    return sorted(own, key=lambda process: process.pid != server.pid)


def _process(pid: int) -> Process | None:
    """A process that is gone by now is None, and so is one that is dead and only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name of the program stands in parentheses and may hold any character, parentheses too.
    state, parent, group = stat.rpartition(")")[2].split()[:3]
    return None if state == "Z" else Process(pid, int(parent), int(group))
