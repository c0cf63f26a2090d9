"""Manifests and tags: pushed, moved, deleted, restored, collected with what they need."""

from __future__ import annotations

from typing import Final

from registry.core.refusals import NotRestorable
from registry.core.undo import UndoService
from registry.oci.digest import Digest
from registry.oci.errors import (
    ManifestPartsUnknown,
    ManifestUnknown,
    NotAllowed,
)
from registry.oci.names import Tag
from tests.contracts.test_collecting import APP, CONFIG, DAY, LARGE, LAYER, V1, Registry, image, index
from tests.properties.interleavings.meeting import (
    COLLECT,
    CONFIG_DIGEST,
    IMAGE,
    MANIFEST,
    V2,
    Act,
    Meeting,
    both,
    done,
    points_to,
    shows,
)

PAIR: Final = index(MANIFEST, image(LAYER))
ABOUT: Final = image(subject=IMAGE, subject_size=len(MANIFEST))
TAGGED: Final = image(LAYER)
"""Another one, that needs CONFIG too."""
TWICE: Final = image(LAYER, LAYER)


def _push(content: bytes, tag: Tag | None = V1, *refusals: type[Exception]) -> Act:
    return Act(lambda registry: registry.push(content, tag), refusals)


def _delete(digest: Digest, *refusals: type[Exception]) -> Act:
    return Act(lambda registry: registry.manifests.delete(APP, digest, registry.admin), refusals)


def _restore(registry: Registry) -> None:
    UndoService(registry.metadata, DAY).restore_manifest(APP, IMAGE, registry.admin)


def _restore_tag(registry: Registry) -> None:
    UndoService(registry.metadata, DAY).restore_tag(APP, V1, registry.admin)


def _push_and_delete(registry: Registry) -> None:
    """What the collector may take: a manifest, its tag and its part."""
    registry.push_image(tag=V1)
    registry.manifests.delete(APP, IMAGE, registry.admin)


def _push_and_delete_tag(registry: Registry) -> None:
    registry.push_image(tag=V1)
    registry.manifests.delete_tag(APP, V1, registry.admin)


def _push_twice_and_delete_one_tag(registry: Registry) -> None:
    """A manifest that is to be looked at, and has another tag."""
    registry.push_image(tag=V1)
    registry.push(MANIFEST, V2)
    registry.manifests.delete_tag(APP, V1, registry.admin)


def _push_tagged(registry: Registry) -> None:
    """V1 of one manifest, to be moved; the other one is there too."""
    registry.push_image(LAYER, tag=None)
    registry.push_image(tag=V1)


def _push_referrer(registry: Registry) -> None:
    """A deleted manifest, and an untagged one about it."""
    _push_and_delete(registry)
    registry.push(ABOUT, None)


def _push_two_layers(registry: Registry) -> None:
    registry.push_image(LAYER, LARGE, tag=None)
    registry.push_image(LARGE, LAYER, tag=None)


def _push_and_delete_index(registry: Registry) -> None:
    """An index, and one of its two children, which share CONFIG."""
    _push_both(registry)
    registry.push(PAIR, V1)
    registry.manifests.delete(APP, Digest.of(PAIR), registry.admin)
    registry.manifests.delete(APP, IMAGE, registry.admin)


def _push_both(registry: Registry) -> None:
    registry.push_image(tag=None)
    registry.push_image(LAYER, tag=None)


SCENES: Final[dict[str, Meeting]] = {
    "a push, and the collector of what it needs": Meeting(
        lambda registry: registry.push_blob(CONFIG),
        {"push": _push(MANIFEST, V1, ManifestPartsUnknown), "collect": COLLECT},
        lambda registry, outcomes: done(outcomes, "push") is registry.serves(CONFIG_DIGEST),
    ),
    "a push, and the deletion of a blob that it needs": Meeting(
        lambda registry: registry.push_blob(CONFIG),
        {
            "push": _push(MANIFEST, V1, ManifestPartsUnknown),
            "delete": Act(lambda registry: registry.blobs.delete(APP, CONFIG_DIGEST, registry.admin), (NotAllowed,)),
        },
        lambda _, outcomes: done(outcomes, "push") is not done(outcomes, "delete"),
    ),
    "a push of an index, and the deletion of its child": Meeting(
        lambda registry: registry.push_image(tag=None),
        {"push": _push(index(MANIFEST), V1, ManifestPartsUnknown), "delete": _delete(IMAGE, NotAllowed)},
        lambda _, outcomes: done(outcomes, "push") is not done(outcomes, "delete"),
    ),
    "a restore, and the collector": Meeting(
        _push_and_delete,
        {"restore": Act(_restore, (ManifestUnknown,)), "collect": COLLECT},
        lambda registry, outcomes: done(outcomes, "restore") is shows(registry, IMAGE),
    ),
    "a push of what was deleted, and the collector": Meeting(
        _push_and_delete,
        {"push": _push(MANIFEST), "collect": COLLECT},
        lambda registry, _: shows(registry, IMAGE),
    ),
    "a restore of a tag, and the deletion of its manifest": Meeting(
        _push_and_delete_tag,
        {"restore": Act(_restore_tag), "delete": _delete(IMAGE)},
        lambda registry, _: points_to(registry, V1) == (IMAGE if shows(registry, IMAGE) else None),
    ),
    "a push by another tag, and the deletion of the manifest": Meeting(
        lambda registry: registry.push_image(tag=V1),
        {"push": _push(MANIFEST, V2), "delete": _delete(IMAGE)},
        lambda registry, _: points_to(registry, V2) == (IMAGE if shows(registry, IMAGE) else None),
    ),
    "two pushes of one tag": Meeting(
        _push_both,
        {"one": _push(MANIFEST), "other": _push(TAGGED)},
    ),
    "two pushes that move one tag": Meeting(
        _push_tagged,
        {"one": _push(TAGGED), "other": _push(TWICE)},
    ),
    "two deletions of one tag": Meeting(
        _push_tagged,
        both(Act(lambda registry: registry.manifests.delete_tag(APP, V1, registry.admin), (ManifestUnknown,))),
        lambda _, outcomes: done(outcomes, "one") is not done(outcomes, "other"),
    ),
    "a push that tags a referrer, and the collector of its subject": Meeting(
        _push_referrer,
        {"push": _push(ABOUT, V2), "collect": COLLECT},
        lambda registry, _: points_to(registry, V2) == Digest.of(ABOUT),
    ),
    "an index that lists a referrer, and the collector of its subject": Meeting(
        _push_referrer,
        {"push": _push(index(ABOUT), V2, ManifestPartsUnknown), "collect": COLLECT},
        lambda registry, outcomes: not done(outcomes, "push") or shows(registry, Digest.of(ABOUT)),
    ),
    "two deletions of manifests that share layers": Meeting(
        _push_two_layers,
        {"one": _delete(Digest.of(image(LAYER, LARGE))), "other": _delete(Digest.of(image(LARGE, LAYER)))},
    ),
    "a push again, and a deletion of what shares its layers": Meeting(
        _push_two_layers,
        {"push": _push(image(LAYER, LARGE)), "delete": _delete(Digest.of(image(LARGE, LAYER)))},
    ),
    "two deletions of one manifest": Meeting(
        lambda registry: registry.push_image(tag=V1),
        both(_delete(IMAGE, ManifestUnknown)),
        lambda _, outcomes: done(outcomes, "one") is not done(outcomes, "other"),
    ),
    "a restore of an index, and the deletion of a child that is there still": Meeting(
        _push_and_delete_index,
        {
            "restore": Act(_restore_tag, (NotRestorable,)),
            "delete": _delete(Digest.of(TAGGED), NotAllowed),
        },
    ),
    "a restore of an index, and the collector": Meeting(
        _push_and_delete_index,
        {"restore": Act(_restore_tag, (NotRestorable, ManifestUnknown)), "collect": COLLECT},
        lambda registry, outcomes: done(outcomes, "restore") is shows(registry, Digest.of(PAIR)),
    ),
    "a deletion of a referrer, and the collector of its subject": Meeting(
        _push_referrer,
        {"delete": _delete(Digest.of(ABOUT), ManifestUnknown), "collect": COLLECT},
    ),
    "two restores of one tag": Meeting(
        _push_and_delete_index,
        both(Act(_restore_tag, (ManifestUnknown,))),
        lambda registry, _: shows(registry, Digest.of(PAIR)),
    ),
    "a restore of an index, and a push of it": Meeting(
        _push_and_delete_index,
        {"restore": Act(_restore_tag), "push": _push(PAIR, V2, ManifestPartsUnknown)},
        lambda registry, _: shows(registry, Digest.of(PAIR)),
    ),
    "a deletion of a tag, and the collector that looks at its manifest": Meeting(
        _push_twice_and_delete_one_tag,
        {"delete": Act(lambda registry: registry.manifests.delete_tag(APP, V2, registry.admin)), "collect": COLLECT},
        lambda registry, _: shows(registry, IMAGE),
    ),
}
