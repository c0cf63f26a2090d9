"""Pulling: what the ledger is sure of is there, whole and right, or is not there, at every replica and at once."""

from __future__ import annotations

from dataclasses import dataclass

from tests.soak.ledger import ABSENT, Kind, Ledger, Look, Name
from tests.soak.material import everything
from tests.soak.patience import Patience
from tests.support.client import RegistryClient
from tests.support.images import Pushable, TinyImage, digest_of


@dataclass(frozen=True, slots=True)
class Puller:
    """One client's pulls. Each raises: GaveUp."""

    registry: RegistryClient
    patience: Patience
    ledger: Ledger

    def pull(self, name: Name) -> None:
        """A manifest, by tag or digest, with everything in it."""
        look = self.ledger.look(name)
        digest = look.value if name.kind is Kind.TAG else name.text
        held = self.ledger.look(Name(Kind.MANIFEST, name.repository, digest or ""))
        answer = self.patience.ask(lambda: self.registry.manifest(name.repository, name.text))
        self.patience.expect(answer, 200, 404)
        is_there = answer.status_code == 200
        if is_there and look.has(ABSENT) and self.ledger.stands(look):
            self.patience.minutes.complain(f"{name} was deleted, and is served")
        if not digest or not (look.has(digest) and held.has(digest)):
            return
        thing, looks = everything()[digest], (look, held)
        if is_there and answer.content == thing.manifest:
            self._pull_parts(name.repository, thing, *looks)
            self.patience.minutes.count("pulls of what is surely there")
        elif self.ledger.stands(*looks):
            self.patience.minutes.complain(f"{name} is lost, or another: {answer.status_code} {answer.text[:300]}")

    def list_referrers(self, subject: Name) -> None:
        """Everything that is surely attached is in the list."""
        surely = {look for each in self.ledger.referrers(subject) if (look := self.ledger.look(each)).has(each.text)}
        answer = self.patience.ask(lambda: self.registry.referrers(subject.repository, subject.text))
        if not self.patience.expect(answer, 200):
            return
        listed = {each["digest"] for each in answer.json()["manifests"]}
        for look in surely:
            if look.name.text not in listed and self.ledger.stands(look):
                self.patience.minutes.complain(f"{look.name} is not among the referrers of {subject.text}")
        self.patience.minutes.count("lists of referrers")

    def list_tags(self, repository: str) -> None:
        """Every tag that is surely there is in the list, and none that is surely not."""
        looks = [self.ledger.look(name) for name in self.ledger.living(Kind.TAG, repository)]
        answer = self.patience.ask(lambda: self.registry.tags(repository))
        if not self.patience.expect(answer, 200, 404):
            return
        listed = set(answer.json().get("tags") or ())
        for look in looks:
            held = self.ledger.look(Name(Kind.MANIFEST, repository, look.value or ""))
            is_sure = look.value is not ABSENT and held.has(look.value)
            if is_sure and look.name.text not in listed and self.ledger.stands(look, held):
                self.patience.minutes.complain(f"{look.name} is not listed")
        self.patience.minutes.count("lists of tags")

    def _pull_parts(self, repository: str, thing: Pushable, *looks: Look) -> None:
        """While nobody begins to change what `looks` saw, nothing below it may lack."""
        if isinstance(thing, TinyImage):
            for blob in thing.blobs:
                self._pull_blob(repository, blob.digest, *looks)
            return
        for child in thing.children:
            answer = self.patience.ask(lambda: self.registry.manifest(repository, child.digest))  # noqa: B023  at once
            if answer.content == child.manifest:
                self._pull_parts(repository, child, *looks)
            elif self.ledger.stands(*looks):
                self.patience.minutes.complain(f"{repository}@{child.digest} is lost to its index: {answer.text[:300]}")

    def _pull_blob(self, repository: str, digest: str, *looks: Look) -> None:
        answer = self.patience.ask(lambda: self.registry.blob(repository, digest))
        if answer.status_code == 200 and digest_of(answer.content) != digest:
            self.patience.minutes.complain(f"{repository}: {digest} has other bytes, {len(answer.content)} of them")
        if answer.status_code != 200 and self.ledger.stands(*looks):
            self.patience.minutes.complain(f"{repository}: {digest} is lost: {answer.status_code} {answer.text[:300]}")
