"""Those who push, pull and delete until the time is up, each in a thread with connections of its own."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import httpx

from tests.soak.deleting import Deleter
from tests.soak.ledger import Kind, Ledger, Name
from tests.soak.material import IMAGES, REPOSITORIES, SPREAD, TAGS, attached, everything, image, layer, pair
from tests.soak.patience import GaveUp, Patience
from tests.soak.pulling import Puller
from tests.soak.pushing import Pusher
from tests.soak.uploading import Uploader
from tests.support.client import RegistryClient
from tests.support.images import Pushable
from tests.support.replicas import RoundRobin
from tests.support.server import RunningServer

_TIMEOUT: Final = 90
"""Seconds for an answer to come; three servers, sixteen clients and their stores may have one core between them."""
_CROWDED: Final = 30
"""From so many manifests in a repository on, more are deleted than pushed."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What all have in common; `lease` in seconds."""

    servers: Sequence[RunningServer]
    patience: Patience
    ledger: Ledger
    lease: float
    seed: int

    def run(self, people: int, seconds: float) -> None:
        """So many of them, for so long."""
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(people) as threads:
            for each in [threads.submit(self._live, number, until) for number in range(people)]:
                each.result()

    def client(self) -> httpx.Client:
        """Each request goes to the next replica."""
        transport = RoundRobin(self.servers)
        return httpx.Client(transport=transport, base_url=self.servers[0].url, trust_env=False, timeout=_TIMEOUT)

    def _live(self, number: int, until: float) -> None:
        with self.client() as http:
            registry = RegistryClient(http)
            chance = random.Random(f"{self.seed}/{number}")  # noqa: S311 - the same each time
            person = Person.made(registry, self, chance)
            while time.monotonic() < until:
                try:
                    person.act()
                except GaveUp:
                    self.patience.minutes.count("given up")


@dataclass(frozen=True, slots=True)
class Person:
    """One of them, and what it may come to do."""

    ledger: Ledger
    patience: Patience
    chance: random.Random
    uploader: Uploader
    pusher: Pusher
    deleter: Deleter
    puller: Puller

    @classmethod
    def made(cls, registry: RegistryClient, crowd: Crowd, chance: random.Random) -> Person:
        """With everything that it needs."""
        patience, ledger = crowd.patience, crowd.ledger
        uploader = Uploader(registry, patience, ledger, chance, crowd.lease)
        pusher = Pusher(registry, patience, ledger, chance, uploader, crowd.lease)
        return cls(
            ledger, patience, chance, uploader, pusher,
            Deleter(registry, patience, ledger), Puller(registry, patience, ledger),
        )  # fmt: skip

    def act(self) -> None:
        """Whatever comes to its mind. Raises: GaveUp."""
        repository = self.chance.choice(REPOSITORIES)
        is_crowded = len(self.ledger.living(Kind.MANIFEST, repository)) > _CROWDED
        deeds: dict[Callable[[str], None], float] = {
            self._push: 2 if is_crowded else 8,
            self._retag: 3,
            self._pull: 8,
            self._list: 2,
            self._delete_tag: 3,
            self._delete_manifest: 8 if is_crowded else 3,
            self._delete_blob: 1,
            self._delete_repository: 0.2,
            self._restore: 2,
            self._abandon: 1,
        }
        self.chance.choices(tuple(deeds), tuple(deeds.values()))[0](repository)

    def _push(self, repository: str) -> None:
        make, most = self.chance.choice(((image, IMAGES), (image, IMAGES), (pair, SPREAD), (attached, SPREAD)))
        thing: Pushable = make(self.chance.randrange(most))
        self.pusher.push(repository, thing, *self.chance.sample(TAGS, self.chance.choice((0, 1, 1, 2))))

    def _retag(self, repository: str) -> None:
        name = self._any(Kind.MANIFEST, repository)
        if name is not None:
            self.pusher.put(repository, everything()[name.text], {}, (self.chance.choice(TAGS),))

    def _pull(self, repository: str) -> None:
        tag = Name(Kind.TAG, repository, self.chance.choice(TAGS))
        anything = Name(Kind.MANIFEST, repository, self.chance.choice(tuple(everything())))
        self.puller.pull(self.chance.choice((tag, anything, self._any(Kind.MANIFEST, repository) or tag)))

    def _list(self, repository: str) -> None:
        self.puller.list_tags(repository)
        if subject := self._any(Kind.MANIFEST, repository):
            self.puller.list_referrers(subject)

    def _delete_tag(self, repository: str) -> None:
        self.deleter.delete_tag(self._any(Kind.TAG, repository) or Name(Kind.TAG, repository, TAGS[0]))

    def _delete_manifest(self, repository: str) -> None:
        if name := self._any(Kind.MANIFEST, repository):
            self.deleter.delete_manifest(name)

    def _delete_blob(self, repository: str) -> None:
        self.deleter.delete_blob(Name(Kind.BLOB, repository, layer(self.chance.randrange(16)).digest))

    def _delete_repository(self, repository: str) -> None:
        self.deleter.delete_repository(Name(Kind.REPOSITORY, repository, ""))

    def _restore(self, repository: str) -> None:
        """Mostly of what was deleted just now."""
        name = self._any(Kind.MANIFEST, repository)
        if name and self.deleter.delete_manifest(name):
            self.deleter.restore(name, everything()[name.text])

    def _abandon(self, repository: str) -> None:
        self.uploader.abandon(repository, layer(self.chance.randrange(16)))

    def _any(self, kind: Kind, repository: str) -> Name | None:
        living = self.ledger.living(kind, repository)
        return self.chance.choice(living) if living else None
