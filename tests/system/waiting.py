"""Waiting for what happens in its own time: the sweeper's work, a process that comes back."""

import time
from collections.abc import Callable


def eventually(what: str, holds: Callable[[], object], within: float = 30.0) -> None:
    """Return as soon as `holds` does; fail naming `what` when it does not in time."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what}"
        time.sleep(0.05)
