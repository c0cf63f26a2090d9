"""Counted pulls, on every database (registry/core/nouns/retention.py, `Pulls`)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from registry.core.ports import Metadata
from registry.core.pulling import PullService
from registry.core.tag_facts import Pull
from registry.oci.digest import Digest
from tests.contracts.test_collecting import APP, LARGE, LAYER, OTHER, Registry

MINUTE = timedelta(minutes=1)
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def registry(metadata: Metadata) -> Registry:
    return Registry(metadata)


def test_pulls_of_a_manifest_add_up_in_its_repository_alone(registry: Registry) -> None:
    digest = registry.push_image(LAYER)
    registry.push_image(LAYER, name=OTHER)
    service = PullService(registry.metadata)
    service.note([Pull(APP, digest, 2, NOON)])
    service.note([Pull(APP, digest, 3, NOON - MINUTE), Pull(APP, Digest.of(b"never pushed"), 1, NOON)])
    assert pulls(registry, digest) == (5, NOON)


def test_several_workers_that_write_at_once_lose_nothing(registry: Registry) -> None:
    digests = [registry.push_image(*layers) for layers in ((LAYER,), (LARGE,), (LAYER, LARGE))]
    services = [PullService(registry.metadata) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for order in (digests, digests[::-1]):
            list(pool.map(lambda service: service.note([Pull(APP, each, 1, NOON) for each in order]), services))  # noqa: B023  each map is waited for
    assert [pulls(registry, each)[0] for each in digests] == [8, 8, 8]


def test_what_is_deleted_is_pulled_no_more(registry: Registry) -> None:
    digest = registry.push_image(LAYER)
    registry.manifests.delete(APP, digest, registry.admin)
    PullService(registry.metadata).note([Pull(APP, digest, 1, NOON)])
    registry.push_image(LAYER)
    assert pulls(registry, digest) == (0, None)


def pulls(registry: Registry, digest: Digest) -> tuple[int, datetime | None]:
    """What is known of it in `APP`."""
    return registry.metadata.observe(lambda tx: tx.pulls.of(tx.repositories.get_or_create(APP), digest))
