"""Bringing a blob into a repository, by whichever of the ways that clients know."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx

from tests.soak.ledger import Kind, Ledger, Name
from tests.soak.material import REPOSITORIES
from tests.soak.patience import GaveUp, Lost, Patience
from tests.soak.promises import Promise
from tests.soak.session import Forgotten, Session
from tests.support.client import RegistryClient
from tests.support.images import Blob

_ATTEMPTS: Final = 20
_CANCELLED: Final = 0.3
"""How many of the uploads that are given up are cancelled, instead of left to expire."""


@dataclass(frozen=True, slots=True)
class Uploader:
    """What a client does until a blob is there; `lease` in seconds."""

    registry: RegistryClient
    patience: Patience
    ledger: Ledger
    chance: random.Random
    lease: float

    def offer(self, repository: str, blob: Blob) -> Promise:
        """Have the repository serve the blob; what it promised therefore. Raises: GaveUp."""
        for _ in range(_ATTEMPTS):
            look = self.ledger.look(Name(Kind.BLOB, repository, blob.digest))
            asked = time.monotonic()
            head = self.patience.ask(lambda: self.registry.blob(repository, blob.digest, method="HEAD"))
            if self.patience.expect(head, 200, 404) and head.status_code == 200:
                self.patience.minutes.count("blobs found there")
                return Promise.renewed(look, asked, self.lease)
            try:
                return Promise.leased(look, self._bring(repository, blob), self.lease)
            except Forgotten:
                self.patience.minutes.count("uploads begun again")
        self.patience.minutes.complain(f"{repository} does not take {blob.digest}")
        raise GaveUp

    def abandon(self, repository: str, blob: Blob) -> None:
        """Begin an upload and never end it. Raises: GaveUp."""
        try:
            location = self._start(repository).headers["location"]
            self.patience.once(lambda: self.registry.patch(location, blob.data[: blob.size // 2], at=0))
        except (Forgotten, Lost):
            return
        if self.chance.random() < _CANCELLED:
            self.patience.expect(self.patience.ask(lambda: self.registry.cancel_upload(location)), 204, 404)

    def _bring(self, repository: str, blob: Blob) -> float:
        """By one of the ways; when the answer that says it is there was asked for. Raises: Forgotten, GaveUp."""
        ways: tuple[Callable[[str, Blob], float], ...] = (self._mount, self._at_once, self._in_pieces, self._in_pieces)
        return self.chance.choice(ways)(repository, blob)

    def _mount(self, repository: str, blob: Blob) -> float:
        asked, may_end = time.monotonic(), self._ending(repository)
        source = self.chance.choice((None, *REPOSITORIES))
        answer = self.patience.ask(lambda: self.registry.mount(repository, blob.digest, source))
        if not self.patience.expect(answer, 201, 202):
            raise Forgotten
        if answer.status_code == 201:
            self.patience.minutes.count("blobs mounted")
            return asked
        return Session(self.registry, self.patience, answer, blob, 1, may_end).send()

    def _at_once(self, repository: str, blob: Blob) -> float:
        asked, may_end = time.monotonic(), self._ending(repository)
        answer = self.patience.ask(lambda: self.registry.push_at_once(repository, blob.digest, blob.data))
        # A large one has a session too, for as long as it comes. Nobody knows its name: the answer is to come again.
        if not self.patience.expect(answer, 201, *((404, 409, 503) if may_end() else ())) or answer.status_code != 201:
            raise Forgotten
        self.patience.minutes.count("blobs pushed at once")
        return asked

    def _in_pieces(self, repository: str, blob: Blob) -> float:
        may_end, pieces = self._ending(repository), self.chance.randint(1, 4)
        sent = Session(self.registry, self.patience, self._start(repository), blob, pieces, may_end).send()
        self.patience.minutes.count("blobs pushed in pieces")
        return sent

    def _ending(self, repository: str) -> Callable[[], bool]:
        """Whether somebody may have deleted the repository since, and with it every session."""
        look = self.ledger.look(Name(Kind.REPOSITORY, repository, ""))
        return lambda: not self.ledger.stands(look)

    def _start(self, repository: str) -> httpx.Response:
        answer = self.patience.ask(lambda: self.registry.start_upload(repository))
        if not self.patience.expect(answer, 202):
            raise Forgotten
        return answer
