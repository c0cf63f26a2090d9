"""Quotas: what a transaction adds to a project, and whether there is room for it (design §4)."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Growth:
    """What a transaction adds to a project, less than nothing where it gives back; bytes are charged or reserved."""

    charged: int = 0
    reserved: int = 0
    repositories: int = 0
    tags: int = 0
    uploads: int = 0

    @property
    def bytes(self) -> int:
        """Of the project's counter."""
        return self.charged + self.reserved

    def __add__(self, other: Growth) -> Growth:
        return Growth(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))
