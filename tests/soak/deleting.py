"""Deleting tags, manifests, blobs and whole repositories, each at once for everybody; and having manifests back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx

from tests.soak.ledger import ABSENT, Answer, Change, Kind, Ledger, Name
from tests.soak.patience import Lost, Patience
from tests.support.client import RegistryClient
from tests.support.images import Pushable, TinyIndex

_API: Final = "/api/v1/repositories"
_PLURAL: Final = {
    Kind.TAG: "tags",
    Kind.MANIFEST: "manifests",
    Kind.BLOB: "blobs",
    Kind.REPOSITORY: "whole repositories",
}


@dataclass(frozen=True, slots=True)
class Deleter:
    """One client's deletions. Each raises: GaveUp."""

    registry: RegistryClient
    patience: Patience
    ledger: Ledger

    def delete_tag(self, name: Name) -> None:
        """Its manifest stays."""
        change = self.ledger.begin({name: ABSENT})
        self._ask(name, change, lambda: self.registry.delete_manifest(name.repository, name.text))

    def delete_manifest(self, name: Name) -> bool:
        """With its tags; whether it is gone: not while an index needs it."""
        change = self.ledger.begin_deleting(name)
        return self._ask(name, change, lambda: self.registry.delete_manifest(name.repository, name.text))

    def delete_blob(self, name: Name) -> None:
        """If no manifest needs it."""
        change = self.ledger.begin({name: ABSENT})
        self._ask(name, change, lambda: self.registry.delete_blob(name.repository, name.text))

    def delete_repository(self, name: Name) -> None:
        """With everything in it; its name is free for another."""
        change = self.ledger.begin_deleting_all(name.repository)
        self._ask(name, change, lambda: self.registry.request("DELETE", f"{_API}/{name.repository}"))

    def restore(self, name: Name, thing: Pushable) -> None:
        """A manifest, with what it lists; refused when its window is over, or when a part was deleted for good."""
        wanted = (thing, *(thing.children if isinstance(thing, TinyIndex) else ()))
        change = self.ledger.begin({name._replace(text=each.digest): each.digest for each in wanted})
        outcome = Answer.UNKNOWN
        try:
            target = f"{_API}/{name.repository}/-/deleted-manifests/{name.text}/restore"
            answer = self.patience.ask(lambda: self.registry.request("POST", target))
            is_back = self.patience.expect(answer, 204, 404, 409) and answer.status_code == 204
            outcome = Answer.DONE if is_back else Answer.REFUSED
        finally:
            self.ledger.end(change, outcome)
        self.patience.minutes.count(f"manifests {'restored' if is_back else 'not restored'}")

    def _ask(self, name: Name, change: Change, call: Callable[[], httpx.Response]) -> bool:
        outcome = Answer.UNKNOWN
        try:
            answer, is_first = self._answer(call)
            is_gone = self.patience.expect(answer, 200, 202, 404, 405) and answer.status_code != 405
            outcome = Answer.DONE if is_gone else Answer.REFUSED
        finally:
            self.ledger.end(change, outcome)
        if answer.status_code == 404 and is_first and change.is_alone and change.before[name].value is not ABSENT:
            self.patience.minutes.complain(f"{name} was there, and cannot be deleted: {answer.text}")
        self.patience.minutes.count(f"{_PLURAL[name.kind]} {'deleted' if answer.is_success else 'not deleted'}")
        return is_gone

    def _answer(self, call: Callable[[], httpx.Response]) -> tuple[httpx.Response, bool]:
        """And whether it is that of the only request. Raises: GaveUp."""
        try:
            return self.patience.once(call), True
        except Lost:
            return self.patience.ask(call), False
