"""Deleting tags, manifests and blobs, each at once for everybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tests.soak.ledger import ABSENT, Answer, Change, Ledger, Name
from tests.soak.patience import Lost, Patience
from tests.support.client import RegistryClient


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

    def _ask(self, name: Name, change: Change, call: Callable[[], httpx.Response]) -> bool:
        outcome = Answer.UNKNOWN
        try:
            answer, is_first = self._answer(call)
            is_gone = self.patience.expect(answer, 202, 404, 405) and answer.status_code != 405
            outcome = Answer.DONE if is_gone else Answer.REFUSED
        finally:
            self.ledger.end(change, outcome)
        if answer.status_code == 404 and is_first and change.is_alone and change.before[name].value is not ABSENT:
            self.patience.minutes.complain(f"{name} was there, and cannot be deleted: {answer.text}")
        self.patience.minutes.count(f"{name.kind}s {'deleted' if answer.status_code == 202 else 'not deleted'}")
        return is_gone

    def _answer(self, call: Callable[[], httpx.Response]) -> tuple[httpx.Response, bool]:
        """And whether it is that of the only request. Raises: GaveUp."""
        try:
            return self.patience.once(call), True
        except Lost:
            return self.patience.ask(call), False
