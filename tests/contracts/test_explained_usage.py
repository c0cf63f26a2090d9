"""What every database tells of why a project is charged: each byte once, and all of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.core.explained_usage import UsageService
from registry.core.ports import Metadata
from registry.core.recounting import Recounter
from registry.core.usage_parts import ExplainedUsage
from registry.oci.digest import Digest
from tests.contracts.limited import Limited
from tests.contracts.test_collecting import APP, AWAY, CONFIG, DAY, LARGE, LAYER, OTHER, V1, image

BLOBS = len(CONFIG) + len(LAYER)
MANIFEST = len(image(LAYER))


@pytest.fixture
def registry(metadata: Metadata) -> Limited:
    """Whose leases last a day, and undo as well."""
    return Limited(metadata, lease=DAY, undo_window=DAY)


def explain(registry: Limited, undo_window: timedelta = DAY) -> ExplainedUsage:
    found = UsageService(registry.metadata, undo_window).explain("team")
    assert found.used == sum(found.by_reason().values()) + found.reserved
    assert found.used == sum(found.by_repository().values()) + found.shared + found.reserved
    assert {"team": found.used}.items() <= registry.used().items()
    return found


def sizes(found: ExplainedUsage) -> dict[str, int]:
    return {why.name: size for why, size in found.by_reason().items() if size}


def test_what_is_served_is_held_by_its_repository_and_shared_where_there_are_two(registry: Limited) -> None:
    registry.push_image(LAYER)
    assert sizes(explain(registry)) == {"SERVED": BLOBS + MANIFEST}
    assert explain(registry).by_repository() == {"team/app": BLOBS + MANIFEST}
    registry.push_image(LAYER, LARGE, name=OTHER)
    found = explain(registry)
    assert found.shared == BLOBS
    assert found.by_repository() == {"team/app": MANIFEST, "team/other": len(LARGE) + len(image(LAYER, LARGE))}


def test_what_was_deleted_is_held_by_undo_and_then_by_nothing(registry: Limited) -> None:
    digest = registry.push_image(LAYER)
    registry.manifests.delete(APP, digest, registry.admin)
    assert sizes(explain(registry)) == {"UNDO": BLOBS + MANIFEST}
    # Its blobs have leases of their own.
    assert sizes(explain(registry, timedelta(0))) == {"LEASE": BLOBS, "NOTHING": MANIFEST}


def test_what_no_manifest_names_is_held_by_its_lease_and_then_by_nothing(registry: Limited) -> None:
    registry.push_blob(LAYER)
    Limited(registry.metadata).push_blob(LARGE)
    assert sizes(explain(registry)) == {"LEASE": len(LAYER), "NOTHING": len(LARGE)}


def test_the_best_reason_of_all_repositories_is_the_one_that_counts(registry: Limited) -> None:
    registry.push_image(LAYER)
    registry.push_blob(LAYER, OTHER)
    registry.delete_repository(OTHER)
    found = explain(registry)
    assert sizes(found) == {"SERVED": BLOBS + MANIFEST}
    assert found.shared == len(LAYER)
    registry.delete_repository(APP)
    assert sizes(explain(registry)) == {"UNDO": BLOBS + MANIFEST}


def test_what_is_reserved_is_told_apart(registry: Limited) -> None:
    registry.push_blob(LAYER)
    registry.limit(1000)
    registry.receive(registry.begin(), 500)
    found = explain(registry)
    assert (found.used, found.reserved) == (500 + len(LAYER), 500)


def test_with_whom_each_repository_shares_is_told(registry: Limited) -> None:
    registry.push_image(LAYER)
    registry.push_blob(LAYER, AWAY)
    registry.push_blob(CONFIG, OTHER)
    shared = UsageService(registry.metadata, DAY).sharers("team", 5)
    assert [(each.name, each.size) for each in shared["team/app"]] == [(AWAY, len(LAYER)), (OTHER, len(CONFIG))]


def test_recounting_finds_nothing_whatever_happened(registry: Limited) -> None:
    registry.limit(10_000)
    registry.receive(registry.begin(), 500)
    registry.push_image(LAYER)
    registry.manifests.delete_tag(APP, V1, registry.admin)
    registry.uploads.cancel(APP, registry.begin(), registry.admin)
    registry.blobs.mount(OTHER, Digest.of(LAYER), APP, registry.admin)
    assert list(Recounter(registry.metadata).run()) == []
    (team,) = registry.metadata.observe(lambda tx: tx.projects.page("", 9))
    assert list(Recounter(registry.metadata).run(team.id)) == []
