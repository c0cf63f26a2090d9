"""The one image that pulls ask for."""

from __future__ import annotations

from typing import Final

from tests.bench.checks import same_bytes
from tests.bench.material import MANIFEST_TYPE, Material
from tests.bench.seed import hold_manifest
from tests.bench.target import Target

IMAGE: Final = "bench/image"
TAG: Final = "latest"
ACCEPTED: Final = {"Accept": MANIFEST_TYPE}


def held_image(target: Target, material: Material, reference: str = TAG) -> tuple[str, int]:
    """Have it there, pushed by who may and got back whole: the path of its manifest, and its length."""
    image, path = material.image, f"/v2/{IMAGE}/manifests/{reference}"
    hold_manifest(target.as_author(), IMAGE, image, TAG)
    same_bytes(target, path, image.digest, len(image.content), ACCEPTED)
    return path, len(image.content)
