"""Request bodies: read whole when small, poured piece by piece when not.

Our own server gathers a whole piece before it wakes us (`entrepot.gather`); under any other ASGI server the same comes
in the pieces that it likes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, Self

from registry.api.messages import Request
from registry.oci.errors import RegistryError

_LARGEST_PIECE: Final = 1 << 20
_SMALLEST_PIECE: Final = 64 * 1024


class ClientGone(ConnectionError):
    """The client went away before the end of its request's body."""


async def pieces(request: Request, limit: int) -> AsyncIterator[Sequence[bytes]]:
    """The body, in pieces of about `limit` bytes. Raises: ConnectionError once everything that arrived was given."""
    gather = request.scope.get("extensions", {}).get("entrepot.gather", {}).get("receive")
    more = True
    while more:
        if gather is not None:
            chunks, more = await gather(limit)
        else:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunks, more = [message.get("body", b"")], message.get("more_body", False)
        if any(chunks):
            yield chunks


async def read_whole(request: Request, limit: int, too_large: RegistryError) -> bytes:
    """The body, at most `limit` bytes of it in memory. Raises: `too_large`, ConnectionError."""
    announced = request.content_length
    if announced is not None and announced > limit:
        raise too_large
    parts: list[bytes] = []
    size = 0
    async for chunks in pieces(request, limit + 1):
        parts += chunks
        size += sum(map(len, chunks))
        if size > limit:
            raise too_large
    return b"".join(parts)


class Memory:
    """How much of each body may wait in memory, when `budget` bytes are to do for all that come in at once.

    A piece is held twice: written by a thread, while the next one gathers.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._uploads = 0

    def __enter__(self) -> Self:
        self._uploads += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._uploads -= 1

    @property
    def piece(self) -> int:
        """The size of a piece by now, in bytes."""
        return max(_SMALLEST_PIECE, min(_LARGEST_PIECE, self._budget // (2 * max(self._uploads, 1))))
