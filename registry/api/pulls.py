"""Which manifests are pulled, when and how often: what rules of retention may go by.

A pull is a GET, of a tag or a digest, answered with the manifest or with the word that the client has it already (304).
HEAD is none: who watches a tag asks so each minute.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from registry.api.gathering import PAUSE, Gathering
from registry.core.pulling import PullService
from registry.core.tag_facts import Pull
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName

# Texts, whose hashes are kept: this is done for every manifest that leaves.
Pulled = tuple[str, str, str]
Times = tuple[int, float]


class Pulls(Gathering[Pulled, Times]):
    """By repository, algorithm and hex: how often, and when last, in seconds since 1970."""

    def __init__(self, service: PullService, pause: float = PAUSE) -> None:
        super().__init__("pulls", pause)
        self._service = service

    def note(self, repository: RepositoryName, digest: Digest) -> bool:
        """It is pulled now. Always true, so that an answer which is sent again may ask this whether it holds."""
        self.add((repository.text, digest.algorithm, digest.hex), (1, time.time()))
        return True

    def _join(self, former: Times, later: Times) -> Times:
        return former[0] + later[0], max(former[1], later[1])

    def _keep(self, seen: Mapping[Pulled, Times]) -> None:
        self._service.note(
            Pull(RepositoryName(name), Digest(algorithm, hex_), times, datetime.fromtimestamp(last, UTC))
            for (name, algorithm, hex_), (times, last) in seen.items()
        )
