"""How much of anything a client may ask of one connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

KIB, MIB = 1024, 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes and patience of one connection; every span is exact to one `tick`."""

    url: int = 16 * KIB
    head: int = 64 * KIB
    """All header fields of a request together; also what a body may spend on framing without carrying a byte."""
    pipeline: int = 64
    """Requests waiting behind the one being answered; when more come, these are answered and the connection ends."""
    drained: int = 1 * MIB
    """What is read and thrown away of a body nobody asked for, so that the connection can serve another request."""

    head_within: timedelta = timedelta(seconds=30)
    """From connecting, or the first byte of a request, to the end of its header fields."""
    body_stall: timedelta = timedelta(seconds=60)
    """Without one byte of a body that we are reading."""
    send_stall: timedelta = timedelta(seconds=60)
    """Without one byte of a response acknowledged by the client."""
    # Go's clients drop an idle connection after 90 s: waiting longer leaves the closing, and its race, to them.
    idle: timedelta = timedelta(seconds=120)
    linger: timedelta = timedelta(seconds=15)
    """How long a client may go on sending after its last response, which it would lose if we closed first."""
    tick: timedelta = timedelta(seconds=1)
