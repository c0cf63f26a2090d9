"""How long a client waits at the end of a push: the closing PUT alone, after a body that came by PATCH."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.checks import same_facts
from tests.bench.children import in_child
from tests.bench.load import Sample
from tests.bench.material import Blob, Material
from tests.bench.seed import forget_blob
from tests.bench.target import Target
from tests.bench.transfers import push_streamed
from tests.bench.work import REPOSITORY, Prepared


@dataclass(frozen=True, slots=True)
class Committing:
    """A fresh blob, `times` as large as one push's; only its commit is timed."""

    times: int
    unit: str = "commits/s"

    def prepare(self, target: Target, material: Material) -> Prepared:
        """As any work; what is as large as this is pushed no more often than it is timed."""
        pushed: list[Blob] = []

        def run(_: int) -> Sample:
            blob = material.fresh(self.times)
            pushed.append(blob)
            span = in_child(lambda: push_streamed(target, REPOSITORY, blob, _at_once))
            same_facts(target, f"/v2/{REPOSITORY}/blobs/{blob.digest}", blob.digest, blob.length)
            return Sample(1, span.ended - span.closing)

        def tidy() -> None:
            while pushed:
                forget_blob(target, REPOSITORY, pushed.pop())

        return Prepared(run, tidy)


def _at_once() -> None:
    """Nobody else is to begin at the same time."""
