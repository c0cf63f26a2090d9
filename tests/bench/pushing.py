"""Work that writes: large blobs in streams of their own, very many small blobs, very many manifests."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tests.bench.checks import same_bytes
from tests.bench.children import Ready, in_child, in_children
from tests.bench.flows import NewTags
from tests.bench.load import Sample, drive
from tests.bench.material import MANIFEST_TYPE, SMALL, Blob, Manifest, Material, digest_of, have_memory, manifest_of
from tests.bench.seed import forget_blob, hold_manifest, put_manifest
from tests.bench.swarm import Conversation, converse
from tests.bench.target import Target, location_of
from tests.bench.transfers import Span
from tests.bench.work import MIB, REPOSITORY, Prepared


@dataclass(frozen=True, slots=True)
class Pushing:
    """Fresh large blobs, each by a process of its own, all at once."""

    push: Callable[[Target, str, Blob, Ready], Span]
    streams: int
    unit: str = "MiB/s"

    def prepare(self, target: Target, material: Material) -> Prepared:
        """As any work."""
        pushed: list[Blob] = []

        def run(seconds: int) -> Sample:
            pushed.extend(material.fresh() for _ in range(self.streams))
            have_memory(16 * sum(blob.length for blob in pushed))
            spans = in_children([partial(self.push, target, REPOSITORY, blob) for blob in pushed])
            taken = max(span.ended for span in spans) - min(span.began for span in spans)
            return Sample(sum(blob.length for blob in pushed) / MIB, taken)

        def tidy() -> None:
            while pushed:
                forget_blob(target, REPOSITORY, pushed.pop())

        run(0)
        for blob in pushed:
            same_bytes(target, f"/v2/{REPOSITORY}/blobs/{blob.digest}", blob.digest, blob.length)
        tidy()
        return Prepared(run, tidy)


@dataclass(frozen=True, slots=True)
class PushingSmallBlobs:
    """Fresh blobs of 4 KiB, each by POST and PUT."""

    connections: int
    unit: str = "blobs/s"

    def prepare(self, target: Target, material: Material) -> Prepared:
        """As any work."""

        def run(seconds: int) -> Sample:
            return self._push(target, [os.urandom(SMALL) for _ in range(material.sizes.small_blobs)])

        probe = os.urandom(SMALL)
        self._push(target, [probe])
        same_bytes(target, f"/v2/{REPOSITORY}/blobs/{digest_of(probe)}", digest_of(probe), SMALL)
        return Prepared(run)

    def _push(self, target: Target, contents: Sequence[bytes]) -> Sample:
        named = [(digest_of(content), content) for content in contents]
        shares = [share for start in range(self.connections) if (share := named[start :: self.connections])]
        tally = in_child(lambda: converse(target, [_post_and_put(target, share) for share in shares], float("inf")))
        return Sample(len(contents), tally.ended - tally.began)


@dataclass(frozen=True, slots=True)
class PuttingManifests:
    """Small manifests that all differ, each under a new tag; what they name is there."""

    connections: int
    unit: str = "req/s"

    def prepare(self, target: Target, material: Material) -> Prepared:
        """As any work."""
        marked = manifest_of(*material.image.blobs[:2], annotations={"number": "MARK"})
        before, _, after = marked.content.decode().partition("MARK")
        hold_manifest(target, REPOSITORY, marked, "marked")

        def fresh() -> NewTags:
            run = os.urandom(4).hex()
            return NewTags(f"/v2/{REPOSITORY}/manifests/{run}-", f"{before}{run}-", after)

        probe = fresh()
        content, path = f"{probe.before}0{probe.after}".encode(), f"{probe.path}0"
        put_manifest(target, target.connect(), path, Manifest(content, ()))
        same_bytes(target, path, digest_of(content), len(content), {"Accept": MANIFEST_TYPE})
        return Prepared(lambda seconds: drive(target, fresh(), self.connections, seconds))


def _post_and_put(target: Target, contents: Sequence[tuple[str, bytes]]) -> Conversation:
    octets = {"Content-Type": "application/octet-stream"}
    for digest, content in contents:
        opened = yield target.render("POST", f"/v2/{REPOSITORY}/blobs/uploads/")
        location = location_of(opened.expect(202, f"{target.label}: POST of an upload"), digest)
        closed = yield target.render("PUT", location, octets, content)
        closed.expect(201, f"{target.label}: PUT of a small blob")
