"""What becomes of many blobs that nobody names: how quickly they go, and what whoever pulls meanwhile notices of it.

scene        ours                                   beside
collecting   a server that collects by itself       the peer's own collector, a command for a registry that stands still
meanwhile    pulls while it collects                the same server, quiet
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.bench.flows import Differing
from tests.bench.image import ACCEPTED, held_image
from tests.bench.load import Sample
from tests.bench.material import Material
from tests.bench.pacing import paced
from tests.bench.scenes import Ground
from tests.bench.servers import our_registry
from tests.bench.target import OURS, PATIENCE, Target, WrongAnswer
from tests.bench.work import Prepared
from tests.support.garbage import SIZE, is_garbage_left, lay_garbage

QUIET = "quiet"
_EACH_LOOK: Final = 0.05  # seconds
_EACH_BLOB: Final = 0.05
"""Seconds that a blob may take, at the most, before we give up."""


@contextmanager
def disturbed_and_quiet(folder: Path, workers: int | None, ground: Ground) -> Iterator[list[Target]]:
    """One registry, twice."""
    with our_registry(folder, workers, ground) as ours:
        yield [ours, replace(ours, label=QUIET)]


@dataclass(frozen=True, slots=True)
class Collecting:
    """From the end of the leases to the last file gone."""

    unit: str = "blobs/s"

    def prepare(self, target: Target, material: Material) -> Prepared:
        """As any work; another's registry has to hold something, or its collector does not start."""
        held_image(target, material)
        collect = _ours(target) if target.label == OURS else _theirs(target)
        count = material.sizes.garbage

        def run(_: int) -> Sample:
            return Sample(count, collect(count))

        return Prepared(run)


@dataclass(frozen=True, slots=True)
class PullingMeanwhile:
    """The 99th percentile of an unhurried GET, ours while blobs are collected; as a rate, so that more is better."""

    connections: int
    unit: str = "1/p99 in s"

    def prepare(self, target: Target, material: Material) -> Prepared:
        """As any work."""
        path, length = held_image(target, material)
        flow = Differing(path, length, ACCEPTED)
        count, data = material.sizes.garbage, _data(target)

        def run(seconds: int) -> Sample:
            if target.label == OURS:
                lay_garbage(data, count)
            return paced(target, flow, self.connections, seconds)

        return Prepared(run, tidy=lambda: _until_gone(data, count))


def _ours(target: Target) -> Callable[[int], float]:
    data = _data(target)

    def collect(count: int) -> float:
        lay_garbage(data, count)
        began = time.monotonic()
        _until_gone(data, count)
        return time.monotonic() - began

    return collect


def _theirs(target: Target) -> Callable[[int], float]:
    root, configuration = _data(target) / "docker/registry/v2/blobs/sha256", _data(target).parent / "config.yml"
    program = shutil.which(target.label)
    if program is None:
        raise WrongAnswer(f"{target.label} is no program that could collect")

    def collect(count: int) -> float:
        paths = [root / digest[:2] / digest / "data" for digest in map(_digest, range(count))]
        for path in paths:
            path.parent.mkdir(parents=True)
            path.write_bytes(bytes(SIZE))
        began = time.monotonic()
        ran = subprocess.run([program, "garbage-collect", configuration], capture_output=True, check=False)
        took = time.monotonic() - began
        if ran.returncode or any(path.exists() for path in paths):
            raise WrongAnswer(f"{target.label} did not collect: {ran.stderr[-500:]!r}")
        return took

    return collect


def _digest(number: int) -> str:
    return hashlib.sha256(b"garbage %d" % number).hexdigest()


def _until_gone(data: Path, count: int) -> None:
    ends = time.monotonic() + PATIENCE + count * _EACH_BLOB
    while is_garbage_left(data):
        if time.monotonic() > ends:
            raise WrongAnswer(f"{OURS}: not everything was collected")
        time.sleep(_EACH_LOOK)


def _data(target: Target) -> Path:
    if target.storage is None:
        raise WrongAnswer(f"{target.label}: blobs can be laid into the folder of a registry that we started only")
    return target.storage
