"""What the tests of referrers share: artifact types, and how a list is read."""

from typing import Any

import httpx

from tests.support.images import OCI_INDEX

SBOM, SIGNATURE = "application/vnd.example.sbom.v1", "application/vnd.example.signature.v1"
EMPTY_LIST = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


def listed(answer: httpx.Response) -> list[dict[str, Any]]:
    """The descriptors of a page."""
    assert answer.status_code == 200, answer.text
    descriptors: list[dict[str, Any]] = answer.json()["manifests"]
    return descriptors


def digests(answer: httpx.Response) -> set[str]:
    """The digests of a page, each of which must stand there once."""
    found = [descriptor["digest"] for descriptor in listed(answer)]
    assert len(set(found)) == len(found)
    return set(found)
