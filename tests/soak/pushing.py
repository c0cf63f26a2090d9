"""Pushing images, indexes and what is attached to them, and setting tags: what was promised must then be there."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.soak.ledger import Answer, Kind, Ledger, Name
from tests.soak.material import subject_of
from tests.soak.patience import Patience
from tests.soak.promises import MARGIN, Promise, broken
from tests.soak.uploading import Uploader
from tests.support.client import RegistryClient
from tests.support.images import Pushable, TinyIndex

_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class Pusher:
    """One client's pushes; `lease` in seconds."""

    registry: RegistryClient
    patience: Patience
    ledger: Ledger
    chance: random.Random
    uploader: Uploader
    lease: float

    def push(self, repository: str, thing: Pushable, *tags: str) -> None:
        """All its parts, then, perhaps after a while, its manifest: until that is taken. Raises: GaveUp."""
        for _ in range(_ATTEMPTS):
            promises = self._bring_parts(repository, thing)
            self._linger(promises)
            if self.put(repository, thing, promises, tags):
                return
            # Too late, or somebody deleted a part: as clients do, from the beginning.
            self.patience.minutes.count("pushes begun again")

    def put(self, repository: str, thing: Pushable, promises: Mapping[str, Promise], tags: tuple[str, ...]) -> bool:
        """The manifest alone; whether it was taken. Raises: GaveUp."""
        manifest = Name(Kind.MANIFEST, repository, thing.digest)
        if subject := subject_of(thing):
            self.ledger.attach(manifest, Name(Kind.MANIFEST, repository, subject))
        change = self.ledger.begin(
            {manifest: thing.digest} | {Name(Kind.TAG, repository, tag): thing.digest for tag in tags}
        )
        outcome = Answer.UNKNOWN
        try:
            answer = self.patience.ask(self._put(repository, thing, tags))
            answered = time.monotonic()
            is_taken = self.patience.expect(answer, 201, 404) and answer.status_code == 201
            outcome = Answer.DONE if is_taken else Answer.REFUSED
        finally:
            self.ledger.end(change, outcome)
        self.patience.minutes.count("manifests pushed" if is_taken else "manifests refused")
        if is_taken:
            self._count_close_ones(promises, answered)
        elif change.is_alone and change.before[manifest].has(thing.digest):
            self.patience.minutes.complain(f"{manifest} was there, and is refused: {answer.text}")
        else:
            self._judge(repository, thing, promises, answer, answered)
        return is_taken

    def _put(self, repository: str, thing: Pushable, tags: tuple[str, ...]) -> Callable[[], httpx.Response]:
        """By a tag, or by digest with any number of them."""
        if len(tags) == 1 and self.chance.random() < 0.7:
            return lambda: self.registry.push_manifest(repository, tags[0], thing.manifest, thing.media_type)
        return lambda: self.registry.push_manifest(
            repository, thing.digest, thing.manifest, thing.media_type, tags=tags
        )

    def _judge(
        self, repository: str, thing: Pushable, promises: Mapping[str, Promise], answer: httpx.Response, answered: float
    ) -> None:
        missing = _missing(answer)
        if not missing:
            self.patience.minutes.complain(f"{repository}@{thing.digest} is refused without a reason: {answer.text}")
        for each in broken(self.ledger, promises, missing, answered):
            left = promises[each].until - answered
            self.patience.minutes.complain(f"{repository}: {each} is unknown {left:.2f} s before its lease ends")

    def _count_close_ones(self, promises: Mapping[str, Promise], answered: float) -> None:
        """Of those, a collector that is a little too early would have taken something."""
        if any(0 < each.until - answered < self.lease / 4 for each in promises.values()):
            self.patience.minutes.count("manifests pushed late in a lease")

    def _bring_parts(self, repository: str, thing: Pushable) -> dict[str, Promise]:
        """What each of them was promised by."""
        if isinstance(thing, TinyIndex):
            return {child.digest: self._bring_child(repository, child) for child in thing.children}
        return {blob.digest: self.uploader.offer(repository, blob) for blob in thing.blobs}

    def _bring_child(self, repository: str, child: Pushable) -> Promise:
        name = Name(Kind.MANIFEST, repository, child.digest)
        if not self.ledger.look(name).has(child.digest):
            self.push(repository, child)
        look = self.ledger.look(name)
        # Whoever changes it meanwhile may have deleted it: then there is no promise.
        return Promise.of_manifest(look) if look.has(child.digest) else Promise(look, 0)

    def _linger(self, promises: Mapping[str, Promise]) -> None:
        """Mostly not at all, often until a promise is about to end or ends just then, and seldom beyond that."""
        left = min(each.until for each in promises.values()) - time.monotonic()
        late, then = left - self.chance.uniform(0.1, 0.8), left + MARGIN + self.chance.uniform(-0.2, 0.2)
        wait = self.chance.choice((0.0, 0.0, 0.0, late, late, then, self.chance.uniform(0, 1.2) * self.lease))
        time.sleep(max(0.0, min(wait, 1.2 * self.lease)))


def _missing(answer: httpx.Response) -> list[str]:
    """The digests that a refusal names."""
    document: dict[str, Any] = answer.json()
    details = [error.get("detail") or {} for error in document["errors"]]
    return [digest for detail in details for digest in detail.get("digests", ())]
