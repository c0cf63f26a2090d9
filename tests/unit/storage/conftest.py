"""A store on a folder, and what the kernel was asked to make durable."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from registry.core.facts import ObjectKey
from registry.storage.filesystem import FilesystemStore
from registry.storage.layout import new_key, object_path
from registry.storage.receiver import FileReceiver


@dataclass
class Scene:
    """A store, the folder it is on, and short ways to say what tests of it say often."""

    root: Path
    store: FilesystemStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = FilesystemStore(self.root)

    def path(self, key: ObjectKey) -> Path:
        return self.root / object_path(key)

    def receive(self, key: ObjectKey, offset: int = 0) -> FileReceiver:
        receiver = self.store.receive(key, offset, "", lambda: True)
        assert receiver is not None
        return receiver

    def seal(self, key: ObjectKey) -> None:
        """As another request does that finds it whole."""
        with self.receive(key, self.path(key).stat().st_size) as receiver:
            receiver.seal()

    def put(self, content: bytes) -> ObjectKey:
        key = new_key()
        with self.receive(key) as receiver:
            assert receiver.append([content])
        return key


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "data")


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is synced from now on, in order; a file by fdatasync is marked so."""
    names: list[str] = []

    def recording(real: Callable[[int], None], mark: str) -> Callable[[int], None]:
        def sync(descriptor: int) -> None:
            names.append(mark + Path(f"/proc/self/fd/{descriptor}").readlink().name)
            real(descriptor)

        return sync

    monkeypatch.setattr(os, "fsync", recording(os.fsync, ""))
    monkeypatch.setattr(os, "fdatasync", recording(os.fdatasync, "data of "))
    return names


@pytest.fixture
def descriptors() -> Callable[[], int]:
    """How many descriptors this process has open."""
    return lambda: len(list(Path("/proc/self/fd").iterdir()))
