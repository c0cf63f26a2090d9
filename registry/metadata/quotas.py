"""Queries: what projects use, written as the last thing of each transaction (design §4)."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.metadata.moment import Moment
from registry.metadata.schema import project

_CHARGE: Final = sa.update(project).where(project.c.id == p("project")).values(used=project.c.used + p("more"))


class Quotas:
    """Settles what the transaction has tallied."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def settle(self) -> None:
        """To be called when everything else of the transaction is done."""
        for each, growth in self._moment.tally.take():
            if growth.bytes:
                self._moment.run(_CHARGE, project=each, more=growth.bytes)
