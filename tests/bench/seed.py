"""What a registry must hold before a case can ask for it, pushed as any client would, or laid into its folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path

from tests.bench.material import MANIFEST_TYPE, Blob, Manifest, manifest_of, piece_of
from tests.bench.target import Target, ask
from tests.bench.transfers import push_monolithic

TOGETHER = 50  # tags in one request; more than ten are not promised by the specification, some more are usual


def hold_blob(target: Target, repository: str, blob: Blob) -> None:
    """Push it unless it is there."""
    connection = target.connect()
    if ask(target, connection, "HEAD", f"/v2/{repository}/blobs/{blob.digest}").status != 200:
        push_monolithic(target, repository, blob)


def forget_blob(target: Target, repository: str, blob: Blob) -> None:
    """Delete it, and its bytes too where nothing else would before the run ends; whether it may is not our question.

    One registry keeps deleted bytes for a while, another does not, and memory just freed is quicker to write to than
    any other; so nothing stays in the page cache.
    """
    ask(target, target.connect(), "DELETE", f"/v2/{repository}/blobs/{blob.digest}")
    if target.storage:
        _uncache(target.storage, blob.length)
    if root := _distribution(target):
        algorithm, _, value = blob.digest.partition(":")
        root.joinpath("blobs", algorithm, value[:2], value, "data").unlink(missing_ok=True)


def _uncache(folder: Path, length: int) -> None:
    """Have the kernel forget the pages of every file of that length."""
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if path.stat().st_size == length:
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def hold_manifest(target: Target, repository: str, manifest: Manifest, reference: str) -> None:
    """Push it and what it names."""
    for blob in manifest.blobs:
        hold_blob(target, repository, blob)
    put_manifest(target, target.connect(), f"/v2/{repository}/manifests/{reference}", manifest)


def put_manifest(target: Target, connection: HTTPConnection, path: str, manifest: Manifest) -> int:
    """How many tags the answer says it set beside the reference itself (distribution-spec, end-7b)."""
    answer = ask(target, connection, "PUT", path, {"Content-Type": MANIFEST_TYPE}, manifest.content)
    return answer.expect(201, f"{target.label}: PUT {path[:80]}").head.lower().count(b"\r\noci-tag:")


def tag_names(count: int) -> list[str]:
    """In the order of a listing."""
    return [f"v{number:06d}" for number in range(count)]


def hold_tags(target: Target, repository: str, wanted: int, one_by_one: int) -> int:
    """Give one manifest many tags, and say how many: `wanted`, or `one_by_one` where each costs a request."""
    manifest = manifest_of(piece_of(b"{}"))
    hold_manifest(target, repository, manifest, tag_names(1)[0])
    if root := _distribution(target):
        lay_tags(root / "repositories" / repository / "_manifests/tags", tag_names(wanted))
        return wanted
    connection = target.connect()
    path = f"/v2/{repository}/manifests/"
    names = tag_names(wanted)
    if put_manifest(target, connection, _several(path, manifest, names[:2]), manifest) == 2:
        for first in range(0, wanted, TOGETHER):
            put_manifest(target, connection, _several(path, manifest, names[first : first + TOGETHER]), manifest)
        return wanted
    for name in names[:one_by_one]:
        put_manifest(target, connection, path + name, manifest)
    return min(wanted, one_by_one)


def lay_tags(tags: Path, names: Sequence[str]) -> None:
    """Make the folders that the distribution registry lists as tags; through HTTP this would take it many minutes.

    It looks at each folder and into none, so what a tag points to is left out.
    """
    for name in names:
        tags.joinpath(name).mkdir(exist_ok=True)


def _several(path: str, manifest: Manifest, names: Sequence[str]) -> str:
    return f"{path}{manifest.digest}?" + "&".join(f"tag={name}" for name in names)


def _distribution(target: Target) -> Path | None:
    """The root of a distribution registry's layout, if that is what we started and it holds something."""
    root = target.storage / "docker/registry/v2" if target.storage else None
    return root if root and root.is_dir() else None
