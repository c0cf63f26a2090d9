"""A registry whose projects and users have limits, on every database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from registry.core.accounts import settle
from registry.core.audit import Wanted
from registry.core.facts import Caller
from registry.core.ports import Transaction
from registry.core.quota import Accepted, Limit, Resource, Scope
from registry.core.reception import Reception
from registry.core.repositories import RepositoryService
from registry.metadata.schema import reservation, upload
from registry.oci.digest import Digest
from registry.oci.errors import QuotaExceeded
from registry.oci.names import RepositoryName
from tests.contracts.test_collecting import APP, DAY, Registry

DEFAULT = 0


@dataclass
class Limited(Registry):
    """`TEAM` is a project of one repository, empty and without an owner."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # As whom one asks where authentication is off: who owns nothing.
        self.admin = settle(self.metadata, lambda: "hash")[0].open
        self.repositories = RepositoryService(self.metadata, DAY)
        self.metadata.transact(lambda tx: tx.repositories.get_or_create(APP))

    def limit(
        self,
        hard: int | None = None,
        soft: int | None = None,
        resource: Resource = Resource.BYTES,
        of: str | int = "team",
        scope: Scope = Scope.PROJECT,
    ) -> None:
        """Of one resource, and of no other from then on; `of` is a name, or DEFAULT."""

        def put(tx: Transaction) -> None:
            holder = of if isinstance(of, int) else self._id(tx, of, scope)
            tx.allowances.put(scope, holder, {resource: Limit(hard, soft)}, self.admin)

        self.metadata.transact(put)

    def _id(self, tx: Transaction, name: str, scope: Scope) -> int:
        found: Any = tx.projects.find(name) if scope is Scope.PROJECT else tx.people.find(name)
        assert found is not None
        return int(found.id)

    def user(self, name: str) -> Caller:
        return self.metadata.transact(lambda tx: tx.accounts.add(name, "user"))

    def own(self, project: str, owner: str | None) -> None:
        def change(tx: Transaction) -> None:
            found = tx.projects.find(project)
            assert found is not None
            tx.projects.own(found, None if owner is None else self._id(tx, owner, Scope.USER))

        self.metadata.transact(change)

    def begin(self, name: RepositoryName = APP) -> str:
        return self.uploads.begin(name, self.admin)

    def receive(
        self, uuid: str, length: int | None = None, digest: Digest | None = None, name: RepositoryName = APP
    ) -> Reception:
        return self.uploads.receive(name, uuid, self.admin, None, digest, length)

    def is_over(self, uuid: str, name: RepositoryName = APP) -> bool:
        """The session is gone, and its object doomed if it had one."""
        return self.uploads.peek(name, uuid, self.admin) is None

    def warnings(self) -> list[str]:
        """What the audit log tells of soft limits."""
        return [
            f"{each.target}: {each.detail}"
            for each in self.metadata.observe(lambda tx: tx.events.page(Wanted(), None, 1000))
            if each.action == "quota.warn"
        ]

    def put(self, content: bytes) -> Accepted:
        """A small blob, and what was told of it."""
        told = self.uploads.put_small(APP, None, self.admin, Digest.of(content), content)
        assert told is not None
        return told

    def delete_repository(self, name: RepositoryName) -> None:
        self.repositories.delete(name, self.admin)

    def restore_repository(self, name: RepositoryName) -> None:
        """The one that was deleted last."""
        found = self.metadata.observe(lambda tx: tx.deletions.latest(name))
        assert found is not None
        self.repositories.restore(found.uuid, self.admin)


def refusal(work: Callable[[], object]) -> QuotaExceeded:
    with pytest.raises(QuotaExceeded) as caught:
        work()
    return caught.value


def is_refused(work: Callable[[], object]) -> bool:
    try:
        work()
    except QuotaExceeded:
        return True
    return False


def expire_all(tx: Any) -> None:
    # No clock of ours turns that far.
    for table in (upload, reservation):
        tx._moment.run(sa.update(table).values(expires_at=sa.literal_column("1")))
