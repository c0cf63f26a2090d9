"""When credentials were used last."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from registry.api.gathering import PAUSE, Gathering
from registry.core.credentials import CredentialService


class LastUse(Gathering[int, float]):
    """By their ids, in seconds since 1970."""

    def __init__(self, credentials: CredentialService, pause: float = PAUSE) -> None:
        super().__init__("when credentials were used last", pause)
        self._credentials = credentials

    def note(self, credential: int) -> None:
        """It is used now."""
        self.add(credential, time.time())

    def _join(self, former: float, later: float) -> float:
        return max(former, later)

    def _keep(self, seen: Mapping[int, float]) -> None:
        self._credentials.note_use((each, datetime.fromtimestamp(at, UTC)) for each, at in seen.items())
