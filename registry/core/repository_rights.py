"""Who may look after repositories: to delete one takes `delete`, to restore it `push`, as to push it again would.

    see                 pull
    delete              delete
    restore             push, tags that move included; under the new name, if it gets one
    purge               admin: what is purged comes back for nobody

Who may not even pull learns nothing: to it, whatever it asks for is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from registry.core.access import Access
from registry.core.facts import Caller
from registry.core.rights import Right
from registry.oci.errors import Denied, NameUnknown
from registry.oci.names import RepositoryName


class Deed(StrEnum):
    """What is done to a repository as a whole, or to what was deleted in it."""

    SEE = "see"
    DELETE = "delete"
    RESTORE = "restore"
    PURGE = "purge"


NEEDED: Final[Mapping[Deed, tuple[Right, ...]]] = {
    Deed.SEE: (Right.PULL,),
    Deed.DELETE: (Right.DELETE,),
    Deed.RESTORE: (Right.PUSH, Right.MOVE),
    Deed.PURGE: (Right.ADMIN,),
}


@dataclass(frozen=True, slots=True)
class RepositoryRights:
    """Asked before any of these rules."""

    access: Access

    def holds(self, caller: Caller, deed: Deed, name: RepositoryName) -> bool:
        """Whether the caller may do this, by now and with this credential."""
        return all(self.access.granted(caller, right, name) for right in NEEDED[deed])

    def demand(self, caller: Caller, deed: Deed, name: RepositoryName) -> None:
        """Raises: Denied; NameUnknown for who may not even see it."""
        if self.holds(caller, deed, name):
            return
        if not self.holds(caller, Deed.SEE, name):
            raise NameUnknown(name=str(name))
        raise Denied(needed=f"{NEEDED[deed][0]} on {name}")
