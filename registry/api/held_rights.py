"""What was granted to whom, compiled and kept for as long as no grant has changed since (design 7).

The generation comes with the credential, and is read before the grants that it stands for: should those be newer, the
next request finds another generation and reads them again; they are never older.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from registry.core.ports import Recognition
from registry.core.rights import Grant, Rights

_MOST: Final = 4096


class HeldRights:
    """One worker's; `always` are grants by the settings, which hold for everybody."""

    def __init__(self, recognition: Recognition, anonymous: int, always: Sequence[Grant] = ()) -> None:
        self._recognition = recognition
        self._anonymous = anonymous
        self._always = tuple(always)
        self._kept: OrderedDict[int, tuple[int, Rights]] = OrderedDict()
        self._seen: tuple[int, Rights] | None = None

    async def of(self, principal: int, generation: int) -> Rights:
        """Those of a principal, at this generation of all grants or a later one."""
        kept = self._kept.get(principal)
        if kept is not None and kept[0] == generation:
            self._kept.move_to_end(principal)
            return kept[1]
        read = await self._recognition.rights(principal)
        rights = Rights((*read.grants, *self._always), read.is_admin)
        self._kept[principal] = generation, rights
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return rights

    async def of_anonymous(self) -> Rights:
        """Those of callers without a name, for whom no credential is looked up."""
        version = self._recognition.version()
        if version is not None and self._seen is not None and self._seen[0] == version:
            # Nobody has committed anything since.
            return self._seen[1]
        rights = await self.of(self._anonymous, await self._recognition.generation())
        if version is not None:
            self._seen = version, rights
        return rights
