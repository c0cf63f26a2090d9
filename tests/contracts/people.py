"""People of every kind, their credentials and their grants, made with as few words as a test has for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from registry.core.facts import Caller, CredentialKind, GivenGrant, Principal, Secret
from registry.core.patterns import Pattern
from registry.core.ports import Metadata, Transaction
from registry.core.principal_names import kind_of

_SECRETS = count()


@dataclass(frozen=True)
class People:
    """What a test does to the nouns, each in a transaction of its own."""

    metadata: Metadata
    admin: Caller

    def add(self, name: str, **more: Any) -> Principal:
        found = self.metadata.transact(lambda tx: tx.people.add(kind_of(name), name, **more))
        assert found is not None
        return found

    def find(self, name: str) -> Principal | None:
        return self.metadata.observe(lambda tx: tx.people.find(name))

    def join(self, group: Principal, member: Principal, source: str = "local") -> bool:
        return self.metadata.transact(lambda tx: tx.people.join(group.id, member.id, source))

    def put(self, subject: Principal, pattern: str, *actions: str, denies: bool = False) -> str:
        return self.metadata.transact(
            lambda tx: tx.grants.put(subject, Pattern(pattern), actions, self.admin, denies=denies)
        )

    def grant(self, uuid: str) -> GivenGrant | None:
        return self.metadata.observe(lambda tx: tx.grants.find(uuid))

    def give(self, owner: Principal, kind: CredentialKind = CredentialKind.TOKEN, **more: Any) -> Secret:
        """One more; `lives` is for how long, from now."""
        wanted: dict[str, Any] = {"label": "", "hint": "", "limits": "", "parent": None, "made_from": ""}
        lives: timedelta | None = more.pop("lives", None)
        secret = more.pop("secret", f"hash {next(_SECRETS)}")

        def add(tx: Transaction) -> Secret:
            expires = None if lives is None else tx.now + lives
            return tx.credentials.add(owner.id, kind, secret, expires=expires, **(wanted | more))

        return self.metadata.transact(add)

    def change(self, wanted: Principal) -> Principal | None:
        return self.metadata.transact(lambda tx: tx.people.change(wanted))

    def regroup(self, member: Principal, source: str, *groups: Principal) -> None:
        named = [each.id for each in groups]
        self.metadata.transact(lambda tx: tx.people.replace_groups(member.id, source, named))

    def set_password(self, owner: Principal, hashed: str = "hash of another password") -> int:
        """The credential that it is."""
        self.metadata.transact(lambda tx: tx.credentials.set_password(owner.id, hashed))
        found = self.metadata.observe(lambda tx: tx.credentials.of(owner.id))
        (password,) = [each.id for each in found if each.kind is CredentialKind.PASSWORD]
        return password

    def count(self, owner: Principal, kind: CredentialKind) -> int:
        return self.metadata.observe(lambda tx: tx.credentials.count(owner.id, kind))

    def note_use(self, credential: int, at: datetime) -> None:
        self.metadata.transact(lambda tx: tx.credentials.note_use([(credential, at), (0, at)]))

    def page(self, last: str, limit: int) -> list[str]:
        """The UUIDs of grants."""
        return [each.grant.uuid for each in self.metadata.observe(lambda tx: tx.grants.page(last, limit))]

    def credentials(self, owner: Principal) -> list[int]:
        return [each.id for each in self.metadata.observe(lambda tx: tx.credentials.of(owner.id))]
