"""The bytes of a run, made once for every registry alike; large ones lie in memory files, ready for sendfile."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

CHUNK = 32 << 10  # what Go's clients make of a body of unknown length
END = b"0\r\n\r\n"  # of a chunked body
SMALL = 4 << 10
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True)
class Stretch:
    """`length` bytes of an open file from `start` on."""

    file: int
    start: int
    length: int


Pieces: TypeAlias = tuple[bytes | Stretch, ...]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is asked; a rehearsal asks little, to see that all works."""

    large: int = 1 << 30
    medium: int = 64 << 20
    pushed: int = 256 << 20
    small_blobs: int = 1000
    tags: int = 100_000
    tags_one_by_one: int = 2000  # where each tag costs a request
    garbage: int = 100_000

    @classmethod
    def rehearsal(cls) -> Sizes:
        """A hundredth or so."""
        return cls(16 << 20, 4 << 20, 4 << 20, 40, 1000, 200, 500)


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes to be pushed, in one piece or `framed` as one chunked body."""

    digest: str
    length: int
    pieces: Pieces
    framed: Pieces = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image manifest and what it names."""

    content: bytes
    blobs: tuple[Blob, ...]

    @property
    def digest(self) -> str:
        return digest_of(self.content)


class Material:
    """Random data of the size of one push, and everything cut from it."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.file = os.memfd_create("bench-plain")
        for _ in range(0, sizes.pushed, sizes.medium):
            _write(self.file, os.urandom(min(sizes.medium, sizes.pushed)))
        self.bytes = memoryview(mmap.mmap(self.file, sizes.pushed, access=mmap.ACCESS_READ))

    @cached_property
    def image(self) -> Manifest:
        """Of eight layers: about the 1.5 KiB that manifests usually have."""
        config = piece_of(json.dumps({"architecture": "amd64", "os": "linux", "mark": os.urandom(8).hex()}).encode())
        return manifest_of(config, *(piece_of(os.urandom(SMALL)) for _ in range(8)))

    @cached_property
    def medium(self) -> Blob:
        length = self.sizes.medium
        return Blob(
            "sha256:" + hashlib.sha256(self.bytes[:length]).hexdigest(), length, (Stretch(self.file, 0, length),)
        )

    @cached_property
    def large(self) -> Blob:
        """The random data again and again."""
        times, hasher = self.sizes.large // self.sizes.pushed, hashlib.sha256()
        for _ in range(times):
            hasher.update(self.bytes)
        whole = Stretch(self.file, 0, self.sizes.pushed)
        return Blob("sha256:" + hasher.hexdigest(), self.sizes.large, (whole,) * times)

    def fresh(self, times: int = 1) -> Blob:
        """A blob of about so many pushes' size that no registry has: a new first chunk, then the random data."""
        first, length = os.urandom(CHUNK), self.sizes.pushed - CHUNK
        hasher = hashlib.sha256(first)
        for _ in range(times):
            hasher.update(self.bytes[CHUNK:])
        rest = (Stretch(self.file, CHUNK, length),) * times
        framed = (Stretch(self._framed, 0, os.fstat(self._framed).st_size),) * times
        return Blob(
            "sha256:" + hasher.hexdigest(), CHUNK + times * length, (first, *rest), (_frame(first), *framed, END)
        )

    @cached_property
    def _framed(self) -> int:
        """All but the first chunk, framed as a part of a chunked body."""
        file = os.memfd_create("bench-framed")
        for start in range(CHUNK, self.sizes.pushed, CHUNK):
            _write(file, _frame(self.bytes[start : start + CHUNK]))
        return file


def have_memory(size: int) -> None:
    """Have the machine hold `size` bytes of memory that are free, or a quarter of what it has.

    The host of a virtual machine takes back what lies idle, and to be given it again costs ten times what writing to it
    does: whoever happened to push first would pay for all.
    """
    size = min(size, os.sysconf("SC_AVPHYS_PAGES") * mmap.PAGESIZE // 4)
    with mmap.mmap(-1, size) as memory:
        for start in range(0, size, mmap.PAGESIZE):
            memory[start] = 1


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def piece_of(content: bytes) -> Blob:
    """A small blob."""
    return Blob(digest_of(content), len(content), (content,))


def manifest_of(config: Blob, *layers: Blob, annotations: dict[str, str] | None = None) -> Manifest:
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": config.digest, "size": config.length},
        "layers": [{"mediaType": LAYER_TYPE, "digest": layer.digest, "size": layer.length} for layer in layers],
    }
    noted = document | ({"annotations": annotations} if annotations else {})
    return Manifest(json.dumps(noted).encode(), (config, *layers))


def _frame(chunk: bytes | memoryview) -> bytes:
    return b"".join((b"%x\r\n" % len(chunk), chunk, b"\r\n"))


def _write(file: int, content: bytes) -> None:
    """All of it: one write takes at most 2 GiB and may take less."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]
