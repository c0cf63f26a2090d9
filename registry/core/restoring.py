"""A registry that is being restored is no registry yet: until every object has come, nobody serves it."""

from __future__ import annotations

from typing import Final

from registry.core.ports import Transaction

RESTORING: Final = "restoring"
"""The setting that is there from the first restored fact to the last restored object: the digest of those facts."""


class RestoreUnfinished(Exception):
    """A restore into this registry was begun and has not come to its end."""


def refuse_unfinished(tx: Transaction) -> None:
    """Raises: RestoreUnfinished."""
    if tx.settings.find(RESTORING) is not None:
        raise RestoreUnfinished("a restore into this registry has not come to its end: begin the same restore again")
