"""The format of a data folder, drawn.

DATA/                 0700
├── layout.json       {"layout": 1, "instance": "<id>"}: the same id as SQL has, or nothing starts
├── registry.db       the facts, with -wal and -shm (metadata's own; absent when they live in another database)
└── blobs/
    └── <2 hex>/      the first two digits of the uuids in it
        └── <uuid>    one object, 0600: a blob, or the bytes of an upload session so far

Nothing is ever renamed in `blobs/`: what a file is, its row tells. A file without a row is garbage or has lost
its row; fsck decides.

A bucket holds the same `layout.json` and `blobs/`, and beside them what a file system has no need of:

└── uploads/
    └── <uuid>/       of an upload session whose object has this uuid
        └── <random>  its last bytes at an acknowledgement, too few for a part of a multipart upload
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from registry.core.facts import ObjectKey
from registry.storage.durable import make_folder, replace_file

VERSION: Final = 1
BLOBS: Final = "blobs"
LAYOUT_FILE: Final = "layout.json"
UPLOADS: Final = "uploads"
_REST: Final = r"[0-9a-f]{6}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KEY: Final = re.compile(rf"{BLOBS}/([0-9a-f]{{2}})/\1{_REST}")
_TAILS: Final = re.compile(rf"{UPLOADS}/[0-9a-f]{{2}}{_REST}/")
_TAIL: Final = re.compile(rf"{UPLOADS}/(([0-9a-f]{{2}}){_REST})/[^/]+")


class KeyInvalid(ValueError):
    """Not a key of this layout; no path is ever made of it."""


class LayoutInvalid(Exception):
    """`layout.json` is not one, or of a version this program does not know."""


class InstanceMismatch(Exception):
    """The data folder, or the bucket, belongs to another instance than the database."""


def new_key() -> ObjectKey:
    """A key that was never used and never will be again."""
    name = str(uuid.uuid4())
    return ObjectKey(f"{BLOBS}/{name[:2]}/{name}")


def object_path(key: ObjectKey) -> str:
    """Where the object lies, relative to the data folder; there is one spelling per object. Raises: KeyInvalid."""
    if _KEY.fullmatch(key.text) is None:
        raise KeyInvalid(f"not an object key: {key.text[:100]!r}")
    return key.text


def tails_of(key: ObjectKey) -> ObjectKey:
    """What the names of the tails of this object's upload session begin with. Raises: KeyInvalid."""
    return ObjectKey(f"{UPLOADS}/{object_path(key).rpartition('/')[2]}/")


def new_tail(key: ObjectKey) -> str:
    """The name of another tail of this object's upload session. Raises: KeyInvalid."""
    return f"{tails_of(key)}{uuid.uuid4()}"


def is_tails(key: ObjectKey) -> bool:
    """Whether this names all the tails of a session, and nothing else."""
    return _TAILS.fullmatch(key.text) is not None


def is_key(name: str) -> bool:
    """Whether what lies there is an object, by its name."""
    return _KEY.fullmatch(name) is not None


def key_of_tail(name: str) -> ObjectKey | None:
    """The object to whose upload session this tail belongs; None when it is no tail."""
    found = _TAIL.fullmatch(name)
    return ObjectKey(f"{BLOBS}/{found[2]}/{found[1]}") if found else None


@dataclass(frozen=True, slots=True)
class Layout:
    """What `layout.json` says of its folder."""

    version: int
    instance: str

    @classmethod
    def of(cls, instance: str) -> Self:
        """The layout that this program makes."""
        return cls(VERSION, instance)

    @classmethod
    def load_or_create(cls, root: Path, instance: str) -> Self:
        """The folder's layout, made durably when it has none. Several processes may start at once.

        Raises: LayoutInvalid, InstanceMismatch.
        """
        make_folder(root)
        with _alone(root):
            layout = cls.find(root)
            if layout is None:
                layout = cls.of(instance)
                replace_file(root / LAYOUT_FILE, layout.document())
        layout.check(instance, str(root))
        return layout

    @classmethod
    def find(cls, root: Path) -> Self | None:
        """None when the folder has no layout yet. Raises: LayoutInvalid."""
        file = root / LAYOUT_FILE
        try:
            return cls.parse(file.read_bytes(), str(file))
        except FileNotFoundError:
            return None

    @classmethod
    def parse(cls, content: bytes, where: str) -> Self:
        """Raises: LayoutInvalid."""
        try:
            document = json.loads(content)
            version = document["layout"]
            # The version first: a later one may tell the rest in other words.
            if version != VERSION:
                raise LayoutInvalid(f"{where} has layout {version!r}, this program knows {VERSION}")
            return cls(version, str(document["instance"]))
        except (ValueError, TypeError, KeyError):
            raise LayoutInvalid(f"{where} is not a layout") from None

    def check(self, instance: str, where: str) -> None:
        """Raises: InstanceMismatch."""
        if self.instance != instance:
            raise InstanceMismatch(f"{where} belongs to instance {self.instance}, the database to {instance}")

    def document(self) -> bytes:
        """What `parse` reads."""
        return json.dumps({"layout": self.version, "instance": self.instance}).encode() + b"\n"


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One starter at a time; the lock goes with the descriptor, also when the process is killed."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
