"""What the bytes of an object are called, read from the store; and whether that is what its row says."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final, Protocol

from registry.core.facts import ObjectKey
from registry.core.fsck import Finding, judge_bytes
from registry.core.fsck_facts import ObjectRow
from registry.core.ports import Hash, Hashes, ObjectLost
from registry.oci.digest import Digest

_PIECE: Final = 1 << 20

Begun = tuple[int, Hash]
"""The first so many bytes of an object, and their hash."""


class Source(Protocol):
    """As much of a store as it takes to read objects from end to end."""

    def size(self, key: ObjectKey) -> int | None:
        """As `ObjectStore.size`."""
        ...

    def open(self, key: ObjectKey, start: int = 0) -> BinaryIO:
        """As `ObjectStore.open`. Raises: ObjectLost."""
        ...


def _tell_nobody(_size: int, _known: Hash) -> None:
    pass


def computed(
    store: Source,
    hashes: Hashes,
    key: ObjectKey,
    algorithm: str,
    *,
    begun: Begun | None = None,
    tell: Callable[[int, Hash], None] = _tell_nobody,
) -> tuple[Digest, int] | None:
    """The digest of all its bytes, and how many there are; None when it is not there, or went while it was read.

    With `begun` only the rest is read. `tell` is called after each piece, and may end it by raising.
    """
    size, known = begun or (0, hashes.new(algorithm))
    try:
        with store.open(key, size) as stream:
            while data := stream.read(_PIECE):
                known.update(data)
                size += len(data)
                tell(size, known)
    except ObjectLost:
        return None
    return Digest(algorithm, known.hexdigest()), size


def judge_read(
    store: Source,
    hashes: Hashes,
    row: ObjectRow,
    *,
    begun: Begun | None = None,
    tell: Callable[[int, Hash], None] = _tell_nobody,
) -> Finding | None:
    """What is wrong with the bytes of an object that a blob names, read as by `computed`."""
    assert row.digest is not None  # noqa: S101  only what a blob names can be compared with anything
    found = computed(store, hashes, row.key, row.digest.algorithm, begun=begun, tell=tell)
    return judge_bytes(row, None) if found is None else judge_bytes(row, found[1], found[0])
