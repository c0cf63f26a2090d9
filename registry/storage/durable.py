"""What survives a power cut: bytes once their file is synced, a name once the folder that holds it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600


def sync_file(path: str | Path) -> None:
    """Make the file's bytes durable, whoever wrote them."""
    _sync(os.open(path, os.O_RDONLY))


def sync_folder(path: str | Path) -> None:
    """Make the names in this folder durable, new ones and missing ones alike."""
    _sync(os.open(path, os.O_RDONLY | os.O_DIRECTORY))


def make_folder(path: Path) -> None:
    """Make the folder and those above it, durably; one that is there already keeps its mode."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(FOLDER_MODE, exist_ok=True)
    sync_folder(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Make `content` the file's whole content: a power cut leaves the old or the new. One caller at a time."""
    fresh = path.with_name(f".{path.name}.new")
    # O_TRUNC, not O_EXCL: a process that died here before has left its attempt.
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
