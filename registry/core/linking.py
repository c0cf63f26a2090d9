"""Linking: a repository serves a blob from now on, its project is charged, and the lease that begins is looked at."""

from __future__ import annotations

from datetime import timedelta

from registry.core.facts import Action, Caller, ContentKind, Repository
from registry.core.ports import Transaction
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName


def link_pushed(
    tx: Transaction, name: RepositoryName, digest: Digest, size: int, caller: Caller, lease: timedelta
) -> None:
    """What somebody has just pushed here, whole."""
    repository = tx.repositories.get_or_create(name, caller)
    link(tx, repository, digest, size, lease)
    tx.journal.event(Action.PUSH_BLOB, repository, caller, digest)


def link(tx: Transaction, repository: Repository, digest: Digest, size: int, lease: timedelta) -> None:
    """A blob of `size` bytes that there is."""
    if tx.links.put(repository, digest, lease):
        tx.repositories.charge(repository, ContentKind.BLOB, digest, size)
    tx.journal.review(repository, ContentKind.BLOB, digest, tx.now + lease)
