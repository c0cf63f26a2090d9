"""One soak, from the first push until nothing is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from tests.soak.crowd import Crowd
from tests.soak.ground import Ground
from tests.soak.killing import being_killed
from tests.soak.ledger import Ledger
from tests.soak.patience import Minutes, Outages, Patience
from tests.soak.reckoning import Reckoning
from tests.support.server import Setting


@dataclass(frozen=True, slots=True)
class Pace:
    """How long, by how many, and with which durations: every lease and window ends while its soak still runs."""

    length: timedelta
    people: int
    seed: int
    lease: timedelta = timedelta(seconds=5)
    window: timedelta = timedelta(seconds=3)
    expiry: timedelta = timedelta(seconds=10)

    @property
    def settings(self) -> Mapping[str, Setting]:
        """What the replicas are told."""
        return {
            "lease": f"{self.lease.total_seconds():g}s",
            "undo_window": f"{self.window.total_seconds():g}s",
            "upload_expiry": f"{self.expiry.total_seconds():g}s",
            "delete_delay": "1s",
            "sweep_interval": "200ms",
        }

    @property
    def rest(self) -> timedelta:
        """Within this, all that is due has been done even by a machine that is slow."""
        return self.lease + self.window + self.expiry + timedelta(minutes=2)


def soak(ground: Ground, pace: Pace) -> Minutes:
    """Everybody at it, and workers killed; then the reckoning, twice: with what is left, and with nothing left."""
    minutes, outages = Minutes(), Outages()
    patience = Patience(outages, minutes)
    crowd = Crowd(ground.servers, patience, Ledger(), pace.lease.total_seconds(), pace.seed)
    with being_killed(ground.servers, outages, pace.seed):
        crowd.run(pace.people, pace.length.total_seconds())
    minutes.deeds["workers killed"] = len(outages)
    reckoning = Reckoning(ground, crowd, pace.rest)
    reckoning.pull_everything()
    facts = reckoning.settle()
    reckoning.pull_everything()
    minutes.deeds["bytes live before everything was deleted"] = facts.live_bytes
    reckoning.delete_everything()
    return minutes
