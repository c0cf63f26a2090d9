"""The table of cases: what is asked, and how many times the distribution registry's rate it is meant to reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.bench import collecting
from tests.bench.checks import same_bytes, same_facts, same_ranges
from tests.bench.collecting import Collecting
from tests.bench.committing import Committing
from tests.bench.flows import Flow, Ranges, Same
from tests.bench.image import ACCEPTED, TAG, held_image
from tests.bench.material import SMALL, Material
from tests.bench.people import LOGINS, Pulling, PullingMeanwhile, differing, same
from tests.bench.pulling import Asking, Downloading, PagingTags
from tests.bench.pushing import Pushing, PushingSmallBlobs, PuttingManifests
from tests.bench.redirecting import Redirected
from tests.bench.scenes import COLLECTING, FOLDER, LIMITED, MEANWHILE, PEOPLE, REDIRECT
from tests.bench.seed import hold_blob
from tests.bench.target import Target
from tests.bench.transfers import push_monolithic, push_streamed
from tests.bench.work import REPOSITORY, Work

_COSTS = 1 / 1.3
"""What is left of the rate at least, once callers are known."""


@dataclass(frozen=True, slots=True)
class Case:
    """A row: its name on the command line, its title in the report, the ratio wanted, and the work."""

    name: str
    title: str
    wanted: float
    work: Work
    most_rounds: int | None = None
    """Fewer than asked for, where each costs too much of the disk."""


def cases_of(scene: str, connections: Sequence[int]) -> tuple[Case, ...]:
    """Those of one scene."""
    if scene == REDIRECT:
        return redirect_cases()
    if scene == PEOPLE:
        return people_cases(connections)
    if scene in {COLLECTING, MEANWHILE}:
        return collecting_cases(connections)[scene]
    if scene == LIMITED:
        return limited_cases(connections)
    return folder_cases(connections) if scene == FOLDER else s3_cases(connections)


def folder_cases(connections: Sequence[int]) -> tuple[Case, ...]:
    """Over a folder; requests for manifests and for the facts of blobs once for each number of connections."""
    some = connections[0]
    return (
        *_each("manifest-get-tag", "GET manifest by tag", 3, manifest_by_tag, connections),
        *_each("manifest-get-digest", "GET manifest by digest", 3, manifest_by_digest, connections),
        *_each("manifest-head", "HEAD manifest", 3, manifest_facts, connections),
        *_each("blob-head", "HEAD blob", 2.5, blob_facts, connections),
        *_each("blob-get-4k", "GET blob of 4 KiB", 10, small_blob, [some]),
        *_each("blob-range-4k", "GET range of 4 KiB", 20, blob_ranges, [some]),
        Case("blob-get-medium", "GET blob of 64 MiB, 8 connections", 1.5, Downloading(lambda made: made.medium, 8)),
        Case("blob-get-large", "GET blob of 1 GiB, 2 connections", 1.5, Downloading(lambda made: made.large, 2)),
        Case("push-streamed-1", "push 256 MiB by PATCH, 1 stream", 1.5, Pushing(push_streamed, 1)),
        Case("push-streamed-4", "push 256 MiB by PATCH, 4 streams", 1.5, Pushing(push_streamed, 4)),
        Case("push-monolithic-1", "push 256 MiB by PUT, 1 stream", 1.5, Pushing(push_monolithic, 1)),
        Case("push-monolithic-4", "push 256 MiB by PUT, 4 streams", 1.5, Pushing(push_monolithic, 4)),
        Case("small-blobs", f"push 1000 blobs of 4 KiB, {some} connections", 2.5, PushingSmallBlobs(some)),
        Case("manifest-put", f"PUT manifest, new tag, {some} connections", 4, PuttingManifests(some)),
        Case("tag-page", f"page of 100 in 100 000 tags, {some} connections", 100, PagingTags(some)),
    )


def s3_cases(connections: Sequence[int]) -> tuple[Case, ...]:
    """Facts in PostgreSQL, bytes in S3 and through the registry."""
    some = connections[0]
    return (
        *_each("manifest-get-tag", "GET manifest by tag", 1, manifest_by_tag, [some]),
        *_each("manifest-head", "HEAD manifest", 1, manifest_facts, [some]),
        *_each("blob-head", "HEAD blob", 1, blob_facts, [some]),
        Case("blob-get-medium", "GET blob of 64 MiB, 8 connections", 1, Downloading(lambda made: made.medium, 8)),
        Case("blob-get-large", "GET blob of 1 GiB, 2 connections", 1, Downloading(lambda made: made.large, 2)),
        Case("push-streamed-1", "push 256 MiB by PATCH, 1 stream", 1.5, Pushing(push_streamed, 1)),
        Case("push-streamed-4", "push 256 MiB by PATCH, 4 streams", 1.5, Pushing(push_streamed, 4)),
        Case("push-monolithic-1", "push 256 MiB by PUT, 1 stream", 1.5, Pushing(push_monolithic, 1)),
        Case("push-monolithic-4", "push 256 MiB by PUT, 4 streams", 1.5, Pushing(push_monolithic, 4)),
        Case("small-blobs", f"push 1000 blobs of 4 KiB, {some} connections", 1.5, PushingSmallBlobs(some)),
        Case("manifest-put", f"PUT manifest, new tag, {some} connections", 1, PuttingManifests(some)),
        Case("commit-small", "commit of 256 MiB sent by PATCH", 1, Committing(1)),
        Case("commit-large", "commit of 5 GiB sent by PATCH", 1, Committing(20), most_rounds=1),
    )


def people_cases(connections: Sequence[int]) -> tuple[Case, ...]:
    """By a bearer token, beside the same without any, by password, and the peer by password."""
    some = connections[0]
    title = "GET manifest, {}, {} connections".format
    return (
        Case("authorised-same", title("the same request", some), _COSTS, Pulling(same, some)),
        Case("authorised-differing", title("each another", some), _COSTS, Pulling(differing, some)),
        Case("logins", f"paced GET manifest, ours beside {LOGINS} logins a second", 1 / 3, PullingMeanwhile(some)),
    )


def collecting_cases(connections: Sequence[int]) -> dict[str, tuple[Case, ...]]:
    """The peer's collector wants its registry to stand still, and it does nothing but walk and unlink."""
    some = connections[0]
    title = f"paced GET manifest while blobs are collected, {some} connections"
    return {
        COLLECTING: (Case("collect", "collect blobs that nobody names", 1, Collecting()),),
        MEANWHILE: (Case("collect-pulls", title, 1 / 2, collecting.PullingMeanwhile(some)),),
    }


def limited_cases(connections: Sequence[int]) -> tuple[Case, ...]:
    """A quota check adds less than a twentieth to a push."""
    some = connections[0]
    return (
        Case("limited-stream", "push 256 MiB by PATCH, limited, 1 stream", 0.95, Pushing(push_streamed, 1)),
        Case("limited-put", "push 256 MiB by PUT, limited, 1 stream", 0.95, Pushing(push_monolithic, 1)),
        Case("limited-small", f"push small blobs, limited, {some} connections", 0.95, PushingSmallBlobs(some)),
        Case("limited-manifest", f"PUT manifest, limited, {some} connections", 0.95, PuttingManifests(some)),
    )


def redirect_cases() -> tuple[Case, ...]:
    """Who redirects is as fast as the store, whoever it is."""
    title = "GET blob of 64 MiB by redirect, 8 connections"
    return (Case("blob-redirect-medium", title, 0.9, Redirected(lambda made: made.medium, 8)),)


def chosen(cases: Iterable[Case], names: Sequence[str]) -> tuple[Case, ...]:
    """Those whose name begins with one of `names`, or all. Raises: ValueError, with every name there is."""
    cases = tuple(cases)
    for name in names:
        if not any(case.name.startswith(name) for case in cases):
            raise ValueError(f"no case is called {name}; there are: {', '.join(case.name for case in cases)}")
    return tuple(case for case in cases if not names or case.name.startswith(tuple(names)))


def manifest_by_tag(target: Target, material: Material) -> Flow:
    return _manifest(target, material, "GET", TAG)


def manifest_by_digest(target: Target, material: Material) -> Flow:
    return _manifest(target, material, "GET", material.image.digest)


def manifest_facts(target: Target, material: Material) -> Flow:
    return _manifest(target, material, "HEAD", TAG)


def blob_facts(target: Target, material: Material) -> Flow:
    """Of a layer, not of a small blob, which a registry may keep elsewhere."""
    blob, path = material.medium, f"/v2/{REPOSITORY}/blobs/{material.medium.digest}"
    hold_blob(target, REPOSITORY, blob)
    same_facts(target, path, blob.digest, blob.length)
    return Same("HEAD", path, blob.length)


def small_blob(target: Target, material: Material) -> Flow:
    blob = material.image.blobs[-1]
    hold_blob(target, REPOSITORY, blob)
    path = f"/v2/{REPOSITORY}/blobs/{blob.digest}"
    same_bytes(target, path, blob.digest, blob.length)
    return Same("GET", path, blob.length)


def blob_ranges(target: Target, material: Material) -> Flow:
    blob, path = material.medium, f"/v2/{REPOSITORY}/blobs/{material.medium.digest}"
    hold_blob(target, REPOSITORY, blob)
    same_ranges(target, path, material, blob.length, SMALL)
    return Ranges(path, blob.length, SMALL)


def _manifest(target: Target, material: Material, method: str, reference: str) -> Flow:
    path, length = held_image(target, material, reference)
    if method == "HEAD":
        same_facts(target, path, material.image.digest, length, ACCEPTED)
    return Same(method, path, length, ACCEPTED)


def _each(
    name: str, title: str, wanted: float, arrange: Callable[[Target, Material], Flow], connections: Sequence[int]
) -> list[Case]:
    titled = "{}, {} connections".format
    return [Case(f"{name}-{count}", titled(title, count), wanted, Asking(arrange, count)) for count in connections]
