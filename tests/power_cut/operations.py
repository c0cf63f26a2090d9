"""What a process did to the files of one folder, in order, and when it answered, read from what strace says.

Each call counts when it returned: until then nothing can depend on it. A sync covers what had returned when it began.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

CALLS: Final = (
    "openat,creat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,rename,renameat,"
    "renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,copy_file_range,mmap,sendto,sendmsg"
)
"""Everything by which files change or come to last, and by which an answer leaves."""
MOST_BYTES: Final = 1 << 20
STRACE: Final = ("strace", "-f", "--seccomp-bpf", "-y", "-xx", "-s", str(MOST_BYTES), "-e", f"trace={CALLS}")


@dataclass(frozen=True, slots=True)
class Create:
    """A file comes to be, empty."""

    path: str


@dataclass(frozen=True, slots=True)
class MakeFolder:
    path: str


@dataclass(frozen=True, slots=True)
class Write:
    path: str
    offset: int
    data: bytes

    def leads_to(self, other: Write) -> bool:
        """Whether the other goes on where this one ends."""
        return (self.path, self.offset + len(self.data)) == (other.path, other.offset)


@dataclass(frozen=True, slots=True)
class Truncate:
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Rename:
    """What was at `new` before is gone."""

    path: str
    new: str


@dataclass(frozen=True, slots=True)
class Link:
    path: str
    new: str


@dataclass(frozen=True, slots=True)
class Remove:
    """A file, or an empty folder."""

    path: str


@dataclass(frozen=True, slots=True)
class Sync:
    """Of a file or a folder; it covers the first `covered` operations."""

    path: str
    covered: int


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP response begins to leave."""

    status: int


Operation: TypeAlias = Create | MakeFolder | Write | Truncate | Rename | Link | Remove | Sync | Answered

_STRING: Final = r'"((?:\\x[0-9a-f]{2})*)"'
_LINE: Final = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+|\?|0x[0-9a-f]+)", re.DOTALL)
_UNFINISHED: Final = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>$", re.DOTALL)
_RESUMED: Final = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)$", re.DOTALL)
_DESCRIPTOR: Final = re.compile(r"^(\d+)<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?")
_TEXT: Final = re.compile(_STRING)
_NUMBERS: Final = re.compile(r"(?<=, )(-?\d+)(?=,|$)")
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_SHARED: Final = "-shm"
"""How the file ends that SQLite's processes map to talk to each other; it makes it anew after any accident."""


class Unreadable(ValueError):
    """A call that this reader does not know what to make of."""


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    arguments: str
    result: int
    begun: int


class Reader:
    """One log, line by line."""

    def __init__(self, root: str) -> None:
        """`root` is the folder, absolute; what happens elsewhere is left out."""
        self._root = root.rstrip("/") + "/"
        self._operations: list[Operation] = []
        self._begun: dict[str, tuple[str, int]] = {}
        self._positions: dict[str, int] = {}
        self._known = {""}

    def read(self, lines: Iterable[str]) -> list[Operation]:
        """All that is told. Raises: Unreadable."""
        for line in lines:
            if (call := self._call(line.rstrip("\n"))) is not None and call.result >= 0:
                for operation in self._understood(call):
                    self._add(operation)
        return self._operations

    def _add(self, operation: Operation) -> None:
        """Writes that follow each other are one, which a disk may tear wherever it likes."""
        last = self._operations[-1] if self._operations else None
        # While a sync is under way, what it covers is told by a number.
        if isinstance(operation, Write) and isinstance(last, Write) and last.leads_to(operation) and not self._begun:
            self._operations[-1] = replace(last, data=last.data + operation.data)
        else:
            self._operations.append(operation)

    def _call(self, line: str) -> _Call | None:
        if found := _UNFINISHED.match(line):
            self._begun[found[1]] = found[3], len(self._operations)
            return None
        begun = len(self._operations)
        if found := _RESUMED.match(line):
            arguments, begun = self._begun.pop(found[1])
            line = f"{found[1]} {found[2]}({arguments}{found[3]}"
        if not (found := _LINE.match(line)):
            return None
        return _Call(found[2], found[3], -1 if found[4] == "?" else int(found[4], 0), begun)

    def _understood(self, call: _Call) -> Iterator[Operation]:
        match call.name:
            case "openat" | "creat":
                yield from self._opened(call)
            case "write" | "writev" | "sendto" | "sendmsg" | "pwrite64" | "pwritev" | "pwritev2":
                yield from self._written(call)
            case "fsync" | "fdatasync":
                yield from (Sync(path, call.begun) for path in self._described(call))
            case "ftruncate":
                yield from (Truncate(path, _last_number(call)) for path in self._described(call))
            case "mkdir" | "rename" | "link" | "unlink" | "rmdir":
                yield from self._named(call)
            case _:
                self._refuse(call)

    def _opened(self, call: _Call) -> Iterator[Operation]:
        self._positions[str(call.result)] = 0
        path = self._inside(_texts(call)[0])
        if path is None or "O_CREAT" not in call.arguments:
            return
        if "O_APPEND" in call.arguments:
            raise Unreadable(f"appends: {path}")
        if path not in self._known:
            self._known.add(path)
            yield Create(path)
        elif "O_TRUNC" in call.arguments:
            yield Truncate(path, 0)

    def _written(self, call: _Call) -> Iterator[Operation]:
        found = _DESCRIPTOR.match(call.arguments)
        data = b"".join(map(_bytes, _TEXT.findall(call.arguments)))[: call.result]
        if found is None or _bytes(found[2]).startswith(b"socket:"):
            if answer := _STATUS.match(data):
                yield Answered(int(answer[1]))
            return
        for path in self._described(call):
            if len(data) != call.result:
                raise Unreadable(f"{call.name} of {call.result} bytes to {path}, of which {len(data)} are told")
            yield Write(path, self._place(call, found[1]), data)

    def _place(self, call: _Call, descriptor: str) -> int:
        """Where a write went."""
        if call.name.startswith("pwrite"):
            numbers = [int(each) for each in _NUMBERS.findall(_TEXT.sub("", call.arguments))]
            # Behind the offset, pwritev2 has flags.
            return numbers[-2] if call.name == "pwritev2" else numbers[-1]
        place = self._positions[descriptor]
        self._positions[descriptor] = place + call.result
        return place

    def _named(self, call: _Call) -> Iterator[Operation]:
        paths = [self._inside(each) for each in _texts(call)]
        match call.name, paths:
            case "mkdir", [""]:
                # The root itself, without which there is nothing to speak of.
                return
            case "mkdir", [str(path)]:
                self._known.add(path)
                yield MakeFolder(path)
            case (("rename" | "link"), [str(path), str(new)]):
                self._known.add(new)
                yield Link(path, new) if call.name == "link" else Rename(path, new)
                if call.name == "rename":
                    self._known.discard(path)
            case (("unlink" | "rmdir"), [str(path)]):
                self._known.discard(path)
                yield Remove(path)
            case _, [None, *rest] if not any(rest):
                return
            case _:
                self._refuse(call)

    def _described(self, call: _Call) -> Iterator[str]:
        """The path below the root that a descriptor stands for; none for a file that has no name any more."""
        found = _DESCRIPTOR.match(call.arguments)
        if found is not None and not found[3] and (path := self._inside(_bytes(found[2]).decode())) is not None:
            yield path

    def _inside(self, path: str) -> str | None:
        if not (path + "/").startswith(self._root) or path.endswith(_SHARED):
            return None
        return path[len(self._root) :]

    def _refuse(self, call: _Call) -> None:
        """Of calls that change files in other ways, none may have to do with ours."""
        is_harmless = call.name == "mmap" and not ("MAP_SHARED" in call.arguments and "PROT_WRITE" in call.arguments)
        paths = [
            _bytes(each).decode(errors="replace")
            for each in re.findall(r'[<"]((?:\\x[0-9a-f]{2})+)[>"]', call.arguments)
        ]
        if not is_harmless and any(self._inside(path) is not None for path in paths):
            raise Unreadable(f"{call.name} of {paths}")


def _texts(call: _Call) -> list[str]:
    return [_bytes(each).decode() for each in _TEXT.findall(call.arguments)]


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _last_number(call: _Call) -> int:
    return int(call.arguments.rpartition(", ")[2])
