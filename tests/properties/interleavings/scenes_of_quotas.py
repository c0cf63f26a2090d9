"""Limits: of two who want what is left, one has it, whatever holds them to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from registry.core.quota import Limit, Resource, Scope
from registry.core.reception import Reception
from registry.oci.errors import QuotaExceeded
from registry.oci.names import RepositoryName
from tests.contracts.test_collecting import APP, AWAY, LAYER, OTHER, V1, Registry, image
from tests.properties.interleavings.meeting import COLLECT, MANIFEST, Act, Meeting, Outcomes, both, done

ROOM: Final = 10
_EVERY: Final = 0
ONE, _ANOTHER = b"seven b", b"another"


def limited(
    scope: Scope, resource: Resource, most: int, before: Callable[[Registry], object] | None = None
) -> Callable[[Registry], None]:
    """Every project or user, by so much; first of all there is what `before` makes."""

    def prepare(registry: Registry) -> None:
        for name in (APP, OTHER, AWAY):
            registry.uploads.cancel(name, registry.uploads.begin(name, registry.admin), registry.admin)
        if before is not None:
            before(registry)
        limits = {resource: Limit(most, None)}
        registry.metadata.transact(lambda tx: tx.allowances.put(scope, _EVERY, limits, registry.admin))

    return prepare


def _push(content: bytes, name: RepositoryName = APP) -> Act:
    return Act(lambda registry: registry.push_blob(content, name), (QuotaExceeded,))


def _tag(name: RepositoryName, manifest: bytes) -> Act:
    return Act(lambda registry: registry.push(manifest, V1, name), (QuotaExceeded,))


def _push_untagged(registry: Registry) -> None:
    registry.push_image(tag=None)
    registry.push_image(LAYER, tag=None, name=OTHER)


def _begin(registry: Registry) -> None:
    registry.uploads.begin(APP, registry.admin)


def _receive(name: RepositoryName) -> Act:
    """A body of known length, whose bytes are reserved before the first of them comes."""

    def begin_and_reserve(registry: Registry) -> Reception:
        session = registry.uploads.begin(name, registry.admin)
        reception = registry.uploads.receive(name, session, registry.admin, None, None, len(ONE))
        reception.close()
        return reception

    return Act(begin_and_reserve, (QuotaExceeded,))


def _one_of_them(_: Registry, outcomes: Outcomes) -> bool:
    return done(outcomes, "one") is not done(outcomes, "other")


SCENES: Final[dict[str, Meeting]] = {
    "two pushes for the last bytes of a project": Meeting(
        limited(Scope.PROJECT, Resource.BYTES, ROOM),
        {"one": _push(ONE), "other": _push(_ANOTHER, OTHER)},
        _one_of_them,
    ),
    "two pushes for the last bytes of an owner": Meeting(
        limited(Scope.USER, Resource.BYTES, ROOM), {"one": _push(ONE), "other": _push(_ANOTHER, AWAY)}, _one_of_them
    ),
    "two pushes of one blob that there is room for once": Meeting(
        limited(Scope.PROJECT, Resource.BYTES, ROOM),
        {"one": _push(ONE), "other": _push(ONE, OTHER)},
        lambda _, outcomes: done(outcomes, "one") and done(outcomes, "other"),
    ),
    "two uploads that reserve the last bytes": Meeting(
        limited(Scope.PROJECT, Resource.BYTES, ROOM), {"one": _receive(APP), "other": _receive(OTHER)}, _one_of_them
    ),
    "two pushes for the last tag of a project": Meeting(
        limited(Scope.PROJECT, Resource.TAGS, 1, _push_untagged),
        {"one": _tag(APP, MANIFEST), "other": _tag(OTHER, image(LAYER))},
        _one_of_them,
    ),
    "two sessions for the last that may be open": Meeting(
        limited(Scope.PROJECT, Resource.UPLOADS, 1),
        both(Act(_begin, (QuotaExceeded,))),
        _one_of_them,
    ),
    "a push for the last bytes, and the collector that gives some back": Meeting(
        limited(Scope.PROJECT, Resource.BYTES, ROOM, lambda registry: registry.push_blob(ONE)),
        {"push": _push(_ANOTHER, OTHER), "collect": COLLECT},
    ),
}
