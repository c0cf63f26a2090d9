"""A disk that forgets: what was written to files and folders may be lost at a power cut until it was synced.

Strict: syncing a file makes its bytes last, and no name of it; syncing a folder the names in it, and nothing in them.
What is not synced survives by itself, in any combination, whatever came before it in the program.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from tests.power_cut.operations import (
    Answered,
    Create,
    Link,
    MakeFolder,
    Operation,
    Remove,
    Rename,
    Sync,
    Truncate,
    Write,
)

SECTOR: Final = 512
ROOT: Final = 0
Tree: TypeAlias = Mapping[str, bytes | None]
"""Files by path, and folders, which are None."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """A change of a file's content; no data cuts it to `offset`."""

    node: int
    offset: int
    data: bytes | None
    number: int

    def torn(self) -> Iterator[Bytes]:
        """What may be left of a write that was under way: some sectors, not always the first. A cut is one thing."""
        data = self.data or b""
        ends = {SECTOR, len(data) // 2 // SECTOR * SECTOR, (len(data) - 1) // SECTOR * SECTOR}
        for end in sorted(end for end in ends if 0 < end < len(data)):
            yield replace(self, data=data[:end])
        if len(data) > SECTOR:
            yield replace(self, offset=self.offset + SECTOR, data=data[SECTOR:])


@dataclass(frozen=True, slots=True)
class Names:
    """A change of a folder's names, all of it or nothing; None is a name that goes."""

    node: int
    changes: tuple[tuple[str, int | None], ...]
    number: int


Effect: TypeAlias = Bytes | Names


@dataclass(slots=True)
class _State:
    files: dict[int, bytes] = field(default_factory=dict)
    folders: dict[int, dict[str, int]] = field(default_factory=lambda: {ROOT: {}})

    def copy(self) -> _State:
        return _State(dict(self.files), {node: dict(names) for node, names in self.folders.items()})

    def apply(self, effect: Effect) -> None:
        if isinstance(effect, Bytes):
            content = self.files[effect.node]
            head = content[: effect.offset].ljust(effect.offset, b"\0")
            data = effect.data
            self.files[effect.node] = head if data is None else head + data + content[effect.offset + len(data) :]
            return
        names = self.folders[effect.node]
        for name, node in effect.changes:
            if node is None:
                names.pop(name, None)
            else:
                names[name] = node

    def add_file(self, node: int) -> None:
        self.files[node] = b""

    def add_folder(self, node: int) -> None:
        self.folders[node] = {}

    def find(self, path: str) -> int:
        node = ROOT
        for part in path.split("/") if path else ():
            node = self.folders[node][part]
        return node

    def walk(self, node: int, path: str) -> Iterator[tuple[str, bytes | None]]:
        for name, below in self.folders[node].items():
            if below in self.folders:
                yield f"{path}{name}", None
                yield from self.walk(below, f"{path}{name}/")
            else:
                yield f"{path}{name}", self.files[below]


class Disk:
    """What the program sees, what is sure to last, and `loose` between them: what may last or not, in order."""

    def __init__(self, lies: Callable[[str], bool] = lambda _: False) -> None:
        """`lies` about syncing what lies at a path: it says that it did, and did not."""
        self._lies = lies
        self._seen, self._lasting = _State(), _State()
        self._operations = 0
        self._nodes = ROOT
        self.loose: list[Effect] = []

    def apply(self, operation: Operation) -> None:
        """One more."""
        match operation:
            case Sync(path, covered) if not self._lies(path):
                self._sync(self._seen.find(path), covered)
            case Write(path, offset, data):
                self._do(Bytes(self._seen.find(path), offset, data, self._operations))
            case Truncate(path, size):
                self._do(Bytes(self._seen.find(path), size, None, self._operations))
            case Create(path):
                self._name((path, self._new(_State.add_file)))
            case MakeFolder(path):
                self._name((path, self._new(_State.add_folder)))
            case Link(path, new):
                self._name((new, self._seen.find(path)))
            case Remove(path):
                self._name((path, None))
            case Rename(path, new):
                self._name((path, None), (new, self._seen.find(path)))
            case Answered() | Sync():
                pass
        self._operations += 1

    def left(self, survivors: Collection[Effect]) -> Tree:
        """What is found after a power cut that only these loose effects survive, in the order given."""
        state = self._lasting.copy()
        for effect in survivors:
            state.apply(effect)
        return dict(state.walk(ROOT, ""))

    def _new(self, add: Callable[[_State, int], None]) -> int:
        """Nothing has its name yet, and without one nobody finds it."""
        self._nodes += 1
        for state in (self._seen, self._lasting):
            add(state, self._nodes)
        return self._nodes

    def _name(self, *changes: tuple[str, int | None]) -> None:
        """All in one folder."""
        (folder,) = {path.rpartition("/")[0] for path, _ in changes}
        named = tuple((path.rpartition("/")[2], node) for path, node in changes)
        self._do(Names(self._seen.find(folder), named, self._operations))

    def _do(self, effect: Effect) -> None:
        self._seen.apply(effect)
        self.loose.append(effect)

    def _sync(self, node: int, covered: int) -> None:
        lasting = [effect for effect in self.loose if effect.node == node and effect.number < covered]
        for effect in lasting:
            self._lasting.apply(effect)
        self.loose = [effect for effect in self.loose if effect not in lasting]
