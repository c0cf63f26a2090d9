"""Work that reads: many small requests, a page of very many tags, a few large bodies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.checks import same_bytes, same_page
from tests.bench.children import in_child
from tests.bench.flows import Flow, Same, conversation
from tests.bench.load import Sample, by_ourselves, drive
from tests.bench.material import Blob, Material
from tests.bench.seed import hold_blob, hold_tags, tag_names
from tests.bench.swarm import Conversation, Tally, converse
from tests.bench.target import Target
from tests.bench.work import MIB, REPOSITORY, Prepared


@dataclass(frozen=True, slots=True)
class Asking:
    """Small requests that `arrange` makes possible, checks and tells."""

    arrange: Callable[[Target, Material], Flow]
    connections: int
    unit: str = "req/s"

    def prepare(self, target: Target, material: Material) -> Prepared:
        """As any work."""
        flow = self.arrange(target, material)
        return Prepared(lambda seconds: drive(target, flow, self.connections, seconds))


@dataclass(frozen=True, slots=True)
class PagingTags:
    """A page from the middle of all tags. A slow page outlasts the time, so what was asked is waited for."""

    connections: int
    unit: str = "pages/s"

    def prepare(self, target: Target, material: Material) -> Prepared:
        """As any work."""
        sizes, repository = material.sizes, "bench/tags"
        count = hold_tags(target, repository, sizes.tags, sizes.tags_one_by_one)
        names, middle = tag_names(count), count // 2
        path = f"/v2/{repository}/tags/list?n=100&last={names[middle]}"
        length, paged = same_page(target, path, names[middle + 1 : middle + 101], names)
        flow, notes = Same("GET", path, length), []
        if count < sizes.tags:
            notes.append(f"tag page: {target.label} holds only {count} tags, pushed one by one")
        if not paged:
            notes.append(f"tag page: {target.label} knows no pages and lists all tags")
        return Prepared(lambda seconds: by_ourselves(target, flow, self.connections, seconds), notes=tuple(notes))


@dataclass(frozen=True, slots=True)
class Downloading:
    """A large blob again and again; bytes count as they come, so that none need be whole when the time is up."""

    blob: Callable[[Material], Blob]
    connections: int
    unit: str = "MiB/s"

    def prepare(self, target: Target, material: Material) -> Prepared:
        """As any work."""
        blob = self.blob(material)
        hold_blob(target, REPOSITORY, blob)
        path = f"/v2/{REPOSITORY}/blobs/{blob.digest}"
        same_bytes(target, path, blob.digest, blob.length)
        flow = Same("GET", path, 0)

        def talks() -> list[Conversation]:
            return [conversation(flow, target) for _ in range(self.connections)]

        def run(seconds: int) -> Sample:
            tally: Tally = in_child(lambda: converse(target, talks(), seconds, cut=True))
            return Sample(tally.received / MIB, tally.ended - tally.began)

        return Prepared(run)
