"""What `/proc` tells of a server: which processes it is, what they burnt, and the most memory they ever held."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")
LISTENING = "0A"  # proc(5), /proc/net/tcp, column st


def tree(roots: Iterable[int]) -> tuple[int, ...]:
    """The processes `roots` and all that descend from them, ascending."""
    children: dict[int, list[int]] = {}
    for pid in _all():
        if fields := _stat(pid):
            children.setdefault(int(fields[1]), []).append(pid)
    found, waiting = set[int](), list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return tuple(sorted(found))


def processor_seconds(pids: Iterable[int]) -> float:
    """User and system time of the living ones among `pids`, their threads included."""
    return sum((int(fields[11]) + int(fields[12])) / TICK for fields in map(_stat, pids) if fields)


def peak_memory(pid: int) -> int:
    """The largest resident size it ever had, in bytes (VmHWM); 0 if it is gone."""
    try:
        status = PROC.joinpath(str(pid), "status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def machine_seconds() -> float:
    """What all processors of the machine have worked since it started, the hypervisor's part included."""
    user, nice, system, _idle, _waiting, irq, softirq, steal, *_ = _first_line(PROC / "stat").split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / TICK


def kernel_threads() -> tuple[int, ...]:
    """Those of the kernel itself, where they can be seen: the descendants of process 2."""
    try:
        return tree([2]) if PROC.joinpath("2", "comm").read_text().strip() == "kthreadd" else ()
    except OSError:
        return ()


def listeners(host: str, port: int) -> tuple[int, ...]:
    """The processes that hold a listening TCP socket on `port`, if `host` is this machine; others' only for root."""
    if host not in {"127.0.0.1", "::1", "localhost"}:
        return ()
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listening(PROC / "net" / table, port)}
    return tuple(pid for pid in _all() if inodes & _sockets(pid))


def file_system(folder: Path) -> str:
    """The type of the file system that holds `folder`: fsync costs nothing on a tmpfs."""
    mounts = [line.split()[1:3] for line in PROC.joinpath("mounts").read_text().splitlines()]
    holding = [(len(point), kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return max(holding, default=(0, "an unknown file system"))[1]


def _first_line(file: Path) -> str:
    return file.read_text().partition("\n")[0]


def _all() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _listening(table: Path, port: int) -> list[str]:
    rows = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
    return [row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]


def _sockets(pid: int) -> set[str]:
    """The inodes of its open sockets, as far as we may see them."""
    found = set()
    with suppress(OSError):
        for entry in PROC.joinpath(str(pid), "fd").iterdir():
            with suppress(OSError):  # closed since the listing, as the listing itself is when we look at ourselves
                found.add(entry.readlink().name)
    return {link.removeprefix("socket:[").removesuffix("]") for link in found if link.startswith("socket:[")}


def _stat(pid: int) -> list[str]:
    """The fields of `/proc/<pid>/stat` from the state on: the command before them may hold blanks and brackets."""
    try:
        return PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
