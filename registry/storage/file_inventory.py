"""What lies in a data folder, whoever knows of it: every file below `blobs/`, and what a layout's writer left."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from registry.core.facts import ObjectKey
from registry.core.fsck_facts import Held, HeldKind
from registry.core.ports import ObjectLost
from registry.storage.durable import sync_file, sync_folder
from registry.storage.layout import BLOBS, LAYOUT_FILE, is_key

_PAGE: Final = 1000


class FileInventory:
    """`StoreInventory` of one data folder; reads names and sizes, no bytes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def pages(self) -> Iterator[Sequence[Held]]:
        """See the port. Raises: FileNotFoundError when there is no disk."""
        found = itertools.chain(self._beside(), self._below(BLOBS))
        while page := list(itertools.islice(found, _PAGE)):
            yield page

    def holds(self, held: Held) -> bool:
        """See the port."""
        return self._root.joinpath(held.name).exists()

    def is_needed(self, held: Held, stored: str) -> bool:
        """See the port: here a session has its object and nothing else."""
        del held, stored
        return True

    def keep(self, key: ObjectKey) -> None:
        """See the port. Raises: ObjectLost."""
        path = self._root / key.text
        try:
            sync_file(path)
        except FileNotFoundError:
            raise ObjectLost(str(key)) from None
        sync_folder(path.parent)
        sync_folder(path.parent.parent)

    def abort(self, held: Held) -> None:
        """See the port: there are no multipart uploads."""

    def _beside(self) -> Iterator[Held]:
        """What a process left that died while it wrote the layout."""
        fresh = self._root / f".{LAYOUT_FILE}.new"
        if fresh.exists():
            yield _foreign(fresh.name, fresh.stat())

    def _below(self, folder: str) -> Iterator[Held]:
        with os.scandir(self._root / folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}"
                try:
                    facts = entry.stat(follow_symlinks=False)
                    if folder == BLOBS and entry.is_dir(follow_symlinks=False):
                        yield from self._below(name)
                    elif entry.is_file(follow_symlinks=False) and is_key(name):
                        yield _object(name, facts)
                    else:
                        yield _foreign(name, facts)
                except FileNotFoundError:
                    # Deleted since its folder was read.
                    continue


def _object(name: str, facts: os.stat_result) -> Held:
    key = ObjectKey(name)
    return Held(HeldKind.OBJECT, name, facts.st_size, _changed(facts), key, key)


def _foreign(name: str, facts: os.stat_result) -> Held:
    return Held(HeldKind.FOREIGN, name, facts.st_size, _changed(facts))


def _changed(facts: os.stat_result) -> datetime:
    return datetime.fromtimestamp(facts.st_mtime, UTC)
