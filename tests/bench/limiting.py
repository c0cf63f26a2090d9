"""What it costs a push that its project is limited.

scene     ours                                           beside
limited   each project has limits, far above its usage   another server of this tree, without any
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.bench.scenes import Ground
from tests.bench.servers import our_registry
from tests.bench.target import Target

FREE: Final = "unlimited"
_LIMITS: Final = ("--bytes", "100TiB", "--soft-bytes", "99TiB", "--repositories", "1000")


@contextmanager
def limited_and_free(folder: Path, workers: int | None, ground: Ground) -> Iterator[list[Target]]:
    """Two registries, each in a folder of its own."""
    with (
        our_registry(folder / "limited", workers, ground) as ours,
        our_registry(folder / "free", workers, ground) as free,
    ):
        words = [sys.executable, "-m", "registry", "quota", "set", "project:*", *_LIMITS]
        subprocess.run([*words, "--data", str(ours.storage)], check=True, capture_output=True)
        yield [ours, replace(free, label=FREE)]
