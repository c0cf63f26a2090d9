"""Parts are large blocks that come and go in many threads: have each given back to the kernel as soon as it is free.

The C library does that only until the first one is freed; then it keeps such blocks in a heap per thread, where one
small neighbour holds megabytes. Measured, four uploads at once with 16 parts of 8 MiB on their way: 260 MiB more at
the peak and 125 kept for ever, against 165 and 5. It is a hint: where there is no such call only memory is lost.
"""

from __future__ import annotations

import ctypes
from typing import Final

from registry.storage.s3_client import MIB

_MAPPED_FROM: Final = 4 * MIB
"""Below this a block is cheaper to keep: request bodies come by the mebibyte."""
_M_MMAP_THRESHOLD: Final = -3


def give_back_large_blocks() -> bool:
    """For all of this process; whether the C library took the hint."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM) == 1
