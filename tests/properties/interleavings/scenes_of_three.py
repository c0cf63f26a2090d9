"""Three at once: what one gives up another takes, and a third still needs it, or waits for it.

So many have too many orders to play them all in a moment. They are preempted where it tells most: before a COMMIT, and
between a look and what is done about it.
"""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from registry.core.quota import Resource, Scope
from registry.oci.errors import BlobUnknown, ManifestPartsUnknown, QuotaExceeded
from registry.oci.media_types import OCI_MANIFEST
from registry.oci.names import Tag
from tests.contracts.test_collecting import APP, CONFIG, NOTHING, OTHER, V1, Registry, image
from tests.properties.interleavings.meeting import (
    COLLECT,
    CONFIG_DIGEST,
    IMAGE,
    MANIFEST,
    V2,
    WRITTEN_DOWN,
    Act,
    Meeting,
    Outcomes,
    both,
    done,
)
from tests.properties.interleavings.scenes_of_blobs import mount
from tests.properties.interleavings.scenes_of_quotas import ONE, ROOM, limited
from tests.support.stepping import COMMIT

_TURNS: Final = frozenset(
    {
        COMMIT, "collecting._HOLD_BLOBS", "collecting._HOLD_LINKS", "collecting._LINKED", "collecting._REFERENCED",
        "deleted_manifests._CHILD", "deleted_manifests._HOLD_MANIFEST", "links._ADD", "links._REVIEW_PARTS",
        "manifests._DELETE", "quotas._CHARGE", "quotas._HOLD",
    }
)  # fmt: skip
V3: Final = Tag("v3")
_RING: Final = b"first", b"second", b"third"
SAME_PART: Final = image(CONFIG)
"""Another one, that needs CONFIG and nothing else."""


def _push_same_part(registry: Registry) -> None:
    registry.push(SAME_PART, V2)


def _delete_image(registry: Registry) -> None:
    registry.manifests.delete(APP, IMAGE, registry.admin)


def _collect_twice(registry: Registry) -> None:
    """First the manifest goes, then what it alone held."""
    registry.collect()
    registry.collect()


def _delete_blob(registry: Registry) -> None:
    registry.blobs.delete(APP, CONFIG_DIGEST, registry.admin)


def _push_seven_bytes(registry: Registry) -> None:
    """Of which there are no others."""
    registry.push_blob(uuid4().hex[:7].encode())


def _delete_tag(registry: Registry) -> None:
    registry.manifests.delete_tag(APP, V1, registry.admin)


def _push_two_and_tag_one(registry: Registry) -> None:
    registry.push_image(tag=V1)
    registry.push(SAME_PART, None)


def _push_all(registry: Registry) -> None:
    """Three tags of one manifest, and those that they are to point to."""
    for each in _RING:
        registry.push_image(each, tag=None)
    registry.push_image(tag=V1)
    for tag in (V2, V3):
        registry.push(MANIFEST, tag)


def _move(content: bytes, tag: Tag, other: Tag) -> Act:
    manifest = image(content)
    return Act(lambda registry: registry.manifests.put(APP, tag, manifest, OCI_MANIFEST, registry.admin, tags=[other]))


def _not_both(_: Registry, outcomes: Outcomes) -> bool:
    return not (done(outcomes, "one") and done(outcomes, "other"))


SCENES: Final[dict[str, Meeting]] = {
    "a push of what needs a blob, the deletion of what did, and the collector": Meeting(
        lambda registry: registry.push_image(tag=V1),
        {
            "push": Act(_push_same_part, (ManifestPartsUnknown,)),
            "delete": Act(_delete_image, lease=NOTHING),
            "collect": Act(_collect_twice, waits_in=WRITTEN_DOWN),
        },
        lambda registry, outcomes: done(outcomes, "push") is registry.serves(CONFIG_DIGEST),
        _TURNS,
    ),
    "a mount, the deletion of the blob that is mounted, and the collector": Meeting(
        lambda registry: registry.push_blob(CONFIG),
        {"mount": Act(mount), "delete": Act(_delete_blob, (BlobUnknown,)), "collect": COLLECT},
        lambda registry, outcomes: done(outcomes, "mount") is registry.serves(CONFIG_DIGEST, OTHER),
        _TURNS,
    ),
    "two pushes for the last bytes, and the collector that gives some back": Meeting(
        limited(Scope.PROJECT, Resource.BYTES, ROOM, lambda registry: registry.push_blob(ONE)),
        both(Act(_push_seven_bytes, (QuotaExceeded,))) | {"collect": COLLECT},
        _not_both,
        _TURNS,
    ),
    "two pushes for the last tag of a project, and a deletion that gives it back": Meeting(
        limited(Scope.PROJECT, Resource.TAGS, 1, _push_two_and_tag_one),
        {
            "one": Act(lambda registry: registry.push(MANIFEST, V3), (QuotaExceeded,)),
            "other": Act(lambda registry: registry.push(SAME_PART, V2), (QuotaExceeded,)),
            "delete": Act(_delete_tag),
        },
        _not_both,
        _TURNS,
    ),
    # No two of them can come to wait for each other.
    "three pushes that move two tags each, in a ring": Meeting(
        _push_all,
        {
            "first": _move(_RING[0], V1, V2),
            "second": _move(_RING[1], V2, V3),
            "third": _move(_RING[2], V3, V1),
        },
        turns=frozenset({"tags._FIND"}),
    ),
}
