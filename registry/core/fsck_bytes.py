"""What the bytes of an object are called, read from the store."""

from __future__ import annotations

from typing import Final

from registry.core.facts import ObjectKey
from registry.core.ports import Hashes, ObjectLost, ObjectStore
from registry.oci.digest import Digest

_PIECE: Final = 1 << 20


def computed(store: ObjectStore, hashes: Hashes, key: ObjectKey, algorithm: str) -> tuple[Digest, int] | None:
    """The digest of all its bytes, and how many there are; None when it is not there, or went while it was read."""
    known, size = hashes.new(algorithm), 0
    try:
        with store.open(key) as stream:
            while data := stream.read(_PIECE):
                known.update(data)
                size += len(data)
    except ObjectLost:
        return None
    return Digest(algorithm, known.hexdigest()), size
