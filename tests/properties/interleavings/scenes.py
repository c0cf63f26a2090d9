"""Who meets whom: the pairs of transactions that locks and conditions of design 3 keep apart, one scene each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.properties.interleavings import (
    scenes_of_blobs,
    scenes_of_manifests,
    scenes_of_quotas,
    scenes_of_repositories,
    scenes_of_three,
)
from tests.properties.interleavings.meeting import Meeting

SCENES: Final[Mapping[str, Meeting]] = (
    scenes_of_blobs.SCENES
    | scenes_of_manifests.SCENES
    | scenes_of_quotas.SCENES
    | scenes_of_repositories.SCENES
    | scenes_of_three.SCENES
)
