"""A registry whose audit log is written by hand, and whoever wants to falsify it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from registry.core.audit import EVERY_EVENT, Wanted
from registry.core.audit_chain import Verified
from registry.core.auditing import AuditService
from registry.core.facts import Action, Outcome
from registry.core.sealing import Sealed, Sealer
from registry.core.tenure import Tenure
from tests.unit.core.house import House

if TYPE_CHECKING:
    from tests.unit.core.conftest import Clock

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
KEEP = 30 * DAY


@dataclass
class Log:
    """Beside the registry's own tables, for SQL."""

    house: House
    clock: Clock

    def __post_init__(self) -> None:
        self.audit = AuditService(self.house.metadata)
        self.sealer = Sealer(self.house.metadata, Tenure(self.house.metadata, "seal", "a"), KEEP)

    def write(self, *targets: str, outcome: Outcome = Outcome.DONE) -> None:
        """An event for each, a minute apart."""
        for target in targets:
            self.clock.turn(MINUTE)
            self._write(target, outcome)

    def _write(self, target: str, outcome: Outcome) -> None:
        by = self.house.admin
        self.house.metadata.transact(
            lambda tx: tx.journal.note(Action.ADD_PRINCIPAL, by, target=target, outcome=outcome)
        )

    def seal(self) -> Sealed:
        self.clock.turn(MINUTE)
        return self.sealer.run()

    def verify(self, keep: timedelta = KEEP, noted: bytes | None = None) -> Verified:
        return self.audit.verify(keep, noted)

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        return self.house.rows(statement, *values)

    def exported(self, wanted: Wanted = EVERY_EVENT) -> list[bytes]:
        return list(self.audit.export(wanted))
