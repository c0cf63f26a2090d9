"""A small life of a registry: pushed to, deleted from, collected; step by step, with what each answer promised.

Two images share a layer, and one of them is deleted. Blobs come by chunks, at once, and small enough for a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeAlias

import httpx

from tests.support.client import RegistryClient
from tests.support.images import OCI_CONFIG, OCI_LAYER, Blob, TinyImage, artifact, random_bytes

REPOSITORY: Final = "library/kept"


class Thing(NamedTuple):
    """Something that a client may ask for: a blob, or a manifest by digest or by tag."""

    kind: str
    reference: str


State: TypeAlias = Mapping[Thing, bytes | None]
"""What each is, None where it is not there."""

SHARED: Final = Blob(random_bytes("shared", 20_000), OCI_LAYER)
OWN: Final = Blob(random_bytes("own", 6_000), OCI_LAYER)
CONFIG: Final = Blob(b'{"os": "linux"}', OCI_CONFIG)
KEPT: Final = artifact(None, SHARED, config=CONFIG)
DELETED: Final = artifact(None, SHARED, OWN, config=CONFIG)


@dataclass(frozen=True, slots=True)
class Step:
    """One request: what it was answered with, what that promised, and what nobody promises from then on."""

    status: int
    promised: State
    released: frozenset[Thing] = frozenset()


@dataclass(frozen=True, slots=True)
class Promised:
    """What may be there of each thing, once so many steps were answered and the next one may have happened."""

    possible: Mapping[Thing, frozenset[bytes | None]]

    @classmethod
    def after(cls, steps: Sequence[Step], answered: int) -> Promised:
        """Nothing at all was there in the beginning."""
        possible = {thing: frozenset[bytes | None]({None}) for step in steps for thing in step.promised}
        for step in steps[:answered]:
            possible |= {thing: frozenset({content}) for thing, content in step.promised.items()}
        for step in steps[answered : answered + 1]:
            possible |= {thing: possible[thing] | {content} for thing, content in step.promised.items()}
        for step in steps[: answered + 1]:
            possible |= {thing: possible[thing] | {None} for thing in step.released}
        return cls(possible)

    def broken(self, state: State) -> list[str]:
        """What is wrong about what is there."""
        return [
            f"{thing.kind} {thing.reference} is {'gone' if state[thing] is None else 'there, or another'}"
            for thing, contents in self.possible.items()
            if state[thing] not in contents
        ]


def live(client: RegistryClient) -> Iterator[Step]:
    """Every step, one after the other."""
    yield from _push_by_chunks(client, SHARED)
    yield _step(client.push_at_once(REPOSITORY, CONFIG.digest, CONFIG.data), {_blob(CONFIG): CONFIG.data})
    yield _push(client, KEPT, "kept")
    yield _step(client.push_at_once(REPOSITORY, OWN.digest, OWN.data), {_blob(OWN): OWN.data})
    yield _push(client, DELETED, "deleted")
    yield _push(client, KEPT, "moved")
    yield _push(client, DELETED, "moved")
    gone: State = {_by_digest(DELETED): None, _by_tag("deleted"): None, _by_tag("moved"): None}
    deleted = client.delete_manifest(REPOSITORY, DELETED.digest)
    yield replace(_step(deleted, gone), released=frozenset({_blob(OWN)}))


def _push_by_chunks(client: RegistryClient, blob: Blob) -> Iterator[Step]:
    begun = client.start_upload(REPOSITORY)
    yield _step(begun, {})
    half = blob.size // 2
    sent = client.patch(begun.headers["location"], blob.data[:half], at=0)
    yield _step(sent, {})
    closed = client.close_upload(sent.headers["location"], blob.digest, blob.data[half:])
    yield _step(closed, {_blob(blob): blob.data})


def _push(client: RegistryClient, image: TinyImage, tag: str) -> Step:
    answer = client.push_manifest(REPOSITORY, tag, image.manifest, image.media_type)
    return _step(answer, {_by_digest(image): image.manifest, _by_tag(tag): image.manifest})


def _step(answer: httpx.Response, promised: State) -> Step:
    assert answer.is_success, answer.text
    return Step(answer.status_code, promised)


def _blob(blob: Blob) -> Thing:
    return Thing("blob", blob.digest)


def _by_digest(image: TinyImage) -> Thing:
    return Thing("manifest", image.digest)


def _by_tag(tag: str) -> Thing:
    return Thing("tag", tag)
