"""What must be true once nobody pushes and deletes any more, and the collector has come to rest."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from registry.core.ports import Transaction
from tests.soak.crowd import Crowd
from tests.soak.deleting import Deleter
from tests.soak.ground import Ground, Held
from tests.soak.ledger import Kind
from tests.soak.material import REPOSITORIES
from tests.soak.patience import Minutes
from tests.soak.pulling import Puller
from tests.support.client import RegistryClient

_PAUSE: Final = 0.2
_ROWS: Final = 10_000
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Facts:
    """What waits, and what is charged and kept, as the database has it."""

    reviews: int
    deleted: int
    live: int
    live_bytes: int
    other_objects: int
    contents: int
    used: int
    owed: int
    miscounts: int

    @classmethod
    def of(cls, tx: Transaction) -> Facts:
        """All by one look each."""
        objects = tx.inventory.objects(0, _ROWS)
        projects = tx.usage.projects(0, _ROWS)
        live = [row for row in objects if row.is_served]
        return cls(
            reviews=tx.reviews.counts()[0],
            deleted=len(tx.dissolution.due(tx.now, (_LONG_AGO, -1), _ROWS)),
            live=len(live),
            live_bytes=sum(row.size for row in live),
            other_objects=len(objects) - len(live),
            contents=tx.inventory.count()[1],
            used=sum(project.used for project in projects),
            owed=sum(project.owed for project in projects),
            miscounts=sum(len(tx.usage.miscounts(project.id, _ROWS)) for project in projects),
        )

    @property
    def is_quiet(self) -> bool:
        """Whether nobody has anything to do."""
        return not self.reviews and not self.deleted and not self.other_objects


@dataclass(frozen=True, slots=True)
class Reckoning:
    """Every complaint goes into the minutes. `patience` is how long leases, windows and their work may take."""

    ground: Ground
    crowd: Crowd
    patience: timedelta

    @property
    def _minutes(self) -> Minutes:
        return self.crowd.patience.minutes

    def settle(self) -> Facts:
        """Wait until the collector and the sweeper have nothing left to do, then compare everything with everything."""
        facts = self._rest()
        held = self.ground.store.held()
        if held != Held(facts.live, facts.live_bytes):
            self._minutes.complain(f"the store holds {held}, and the rows name {facts.live}, {facts.live_bytes} bytes")
        if facts.used != facts.owed or facts.miscounts:
            self._minutes.complain(f"charged {facts.used} and owed {facts.owed}, with {facts.miscounts} miscounts")
        report = self.ground.fsck()
        if report["left"]:
            self._minutes.complain(f"fsck found {report['counts']}: {report['found'][:3]}")
        return facts

    def pull_everything(self) -> None:
        """What is surely there is there, and nothing is lost."""
        with self.crowd.client() as http:
            puller = Puller(RegistryClient(http), self.crowd.patience, self.crowd.ledger)
            for repository in REPOSITORIES:
                puller.list_tags(repository)
                for kind in (Kind.MANIFEST, Kind.TAG):
                    for name in self.crowd.ledger.living(kind, repository):
                        puller.pull(name)

    def delete_everything(self) -> None:
        """Indexes before their children, as the registry insists; then nothing may be left of anything."""
        with self.crowd.client() as http:
            deleter = Deleter(RegistryClient(http), self.crowd.patience, self.crowd.ledger)
            left = [name for repository in REPOSITORIES for name in self.crowd.ledger.living(Kind.MANIFEST, repository)]
            while left:
                still = [name for name in left if not deleter.delete_manifest(name)]
                if len(still) == len(left):
                    self._minutes.complain(f"cannot be deleted, whatever the order: {still}")
                    break
                left = still
        facts = self.settle()
        if facts.live or facts.contents or facts.used:
            self._minutes.complain(f"everything was deleted, and this is left: {facts}")

    def _rest(self) -> Facts:
        until = time.monotonic() + self.patience.total_seconds()
        while True:
            facts = self.ground.metadata.observe(Facts.of)
            if facts.is_quiet:
                return facts
            if time.monotonic() > until:
                self._minutes.complain(f"no rest within {self.patience}: {facts}")
                return facts
            time.sleep(_PAUSE)
