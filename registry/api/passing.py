"""A body that comes from a stream: from connection to connection where both ends can, else through our hands."""

from __future__ import annotations

from typing import BinaryIO, Final

from registry.api.messages import Scope, Send
from registry.api.services import Threads
from registry.core.lending import Lender, Loan

_PIECE: Final = 256 * 1024
# What is lent is not used again, and another connection costs as much as a few pieces.
_WORTH_LENDING: Final = 1024 * 1024


async def pass_on(stream: BinaryIO, count: int, scope: Scope, send: Send, in_thread: Threads) -> None:
    """Send the next `count` bytes and end the response. Raises: ConnectionError when the stream ends before."""
    end = stream.tell() + count
    lender = stream if "entrepot.relay" in scope.get("extensions", {}) and isinstance(stream, Lender) else None
    while left := end - stream.tell():
        loan = await in_thread(lender.lend) if lender is not None and left >= _WORTH_LENDING else None
        if lender is None or loan is None:
            lender = None
            await _send_on(await in_thread(stream.read, min(left, _PIECE)), send)
        else:
            await _send_on(loan.first, send)
            await _relay(lender, loan, left - len(loan.first), send)
    await send({"type": "http.response.body", "body": b""})


async def _send_on(data: bytes, send: Send) -> None:
    if not data:
        # Shorter than it was a moment ago: an answer cut short is the one honest thing left to send.
        raise ConnectionError("the object ended early")
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _relay(lender: Lender, loan: Loan, wanted: int, send: Send) -> None:
    await send(
        {
            "type": "entrepot.relay",
            "descriptor": loan.descriptor,
            "count": min(wanted, loan.count),
            "patience": loan.patience,
            "took": lender.take_back,
        }
    )
