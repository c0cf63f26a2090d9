"""Whole repositories: deleted, restored, taken apart, while somebody pushes to them."""

from __future__ import annotations

from typing import Final, cast

from registry.core.collect import Collector
from registry.core.facts import DeletedRepository
from registry.core.refusals import DeletedRepositoryUnknown, NotRestorable
from registry.core.repositories import RepositoryService
from registry.metadata.postgres import PostgresMetadata
from registry.oci.errors import ManifestPartsUnknown, NameUnknown
from registry.oci.names import RepositoryName
from tests.contracts.test_collecting import APP, CONFIG, DAY, NOTHING, OTHER, V1, Registry
from tests.properties.interleavings.meeting import (
    COLLECT,
    IMAGE,
    MANIFEST,
    WRITTEN_DOWN,
    Act,
    Meeting,
    both,
    done,
    in_a_month,
    shows,
)
from tests.properties.interleavings.scenes_of_blobs import ENDED, begin, commit

RENAMED: Final = RepositoryName("team/renamed")


def _service(registry: Registry) -> RepositoryService:
    return RepositoryService(registry.metadata, DAY)


def _delete(registry: Registry) -> DeletedRepository:
    return _service(registry).delete(APP, registry.admin)


def _restore(registry: Registry, name: RepositoryName = APP) -> RepositoryName:
    service = _service(registry)
    return service.restore(service.latest(APP).uuid, registry.admin, name)


def _push_and_delete(registry: Registry) -> None:
    registry.push_image(tag=V1)
    _delete(registry)


def _push_and_delete_both(registry: Registry) -> None:
    """The manifest first; another repository of the project serves its blob too."""
    registry.push_image(tag=V1, name=OTHER)
    registry.push_image(tag=V1)
    registry.manifests.delete(APP, IMAGE, registry.admin)
    _delete(registry)


def _push_manifest(registry: Registry) -> None:
    registry.push(MANIFEST, V1)


def _push_blob(registry: Registry) -> None:
    registry.push_blob(CONFIG)


def _begin_another(registry: Registry) -> None:
    registry.uploads.begin(APP, registry.admin)


def _collect_in_a_month(registry: Registry) -> None:
    Collector(in_a_month(cast("PostgresMetadata", registry.metadata)), NOTHING).run()


NOT_THERE: Final = NotRestorable, DeletedRepositoryUnknown
SCENES: Final[dict[str, Meeting]] = {
    "a push, and the deletion of its repository": Meeting(
        _push_blob, {"push": Act(_push_manifest, (ManifestPartsUnknown,)), "delete": Act(_delete)}
    ),
    "a blob that is pushed, and the deletion of its repository": Meeting(
        lambda registry: registry.push_image(tag=V1), {"push": Act(_push_blob), "delete": Act(_delete)}
    ),
    "a commit of a session, and the deletion of its repository": Meeting(
        # In this order a schedule that misses the lock of the sessions is among the first.
        begin,
        {"delete": Act(_delete), "commit": Act(commit, ENDED)},
    ),
    "a session that begins, and the deletion of its repository": Meeting(
        _push_blob,
        {"begin": Act(_begin_another), "delete": Act(_delete)},
    ),
    "two deletions of one repository": Meeting(
        lambda registry: registry.push_image(tag=V1),
        both(Act(_delete, (NameUnknown,))),
        lambda _, outcomes: done(outcomes, "one") is not done(outcomes, "other"),
    ),
    "a restore of a repository, and the collector": Meeting(
        _push_and_delete,
        {"restore": Act(_restore, NOT_THERE), "collect": COLLECT},
        lambda registry, outcomes: not done(outcomes, "restore") or shows(registry, IMAGE),
    ),
    "two restores of one repository": Meeting(
        _push_and_delete,
        {"one": Act(_restore, NOT_THERE), "other": Act(lambda registry: _restore(registry, RENAMED), NOT_THERE)},
        lambda _, outcomes: done(outcomes, "one") is not done(outcomes, "other"),
    ),
    "a restore of a repository, and a push to its name": Meeting(
        _push_and_delete,
        {"restore": Act(_restore, NOT_THERE), "push": Act(_push_blob)},
    ),
    "two collectors of one repository": Meeting(_push_and_delete, both(COLLECT)),
    "a push to what nothing was ever pushed to, and the collector": Meeting(
        lambda registry: registry.uploads.cancel(APP, registry.uploads.begin(APP, registry.admin), registry.admin),
        {"push": Act(_push_blob), "collect": Act(_collect_in_a_month, waits_in=WRITTEN_DOWN)},
    ),
    "two collectors of a repository, and of a manifest in it": Meeting(_push_and_delete_both, both(COLLECT)),
}
