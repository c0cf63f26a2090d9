"""Blobs, and sessions that bring them: pushed, mounted, told of, collected."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

from registry.core.sweep import Sweeper
from registry.core.tenure import Tenure
from registry.metadata.postgres import PostgresMetadata
from registry.oci.errors import (
    BlobUnknown,
    UploadTakenOver,
    UploadUnknown,
)
from registry.storage.memory import MemoryStore
from tests.contracts.test_collecting import APP, CONFIG, LARGE, NOTHING, OTHER, Registry
from tests.properties.interleavings.meeting import (
    COLLECT,
    CONFIG_DIGEST,
    LARGE_DIGEST,
    Act,
    Meeting,
    both,
    done,
    in_a_month,
)

SESSION: Final = "session"
ENDED: Final = UploadUnknown, UploadTakenOver


def mount(registry: Registry) -> bool:
    return registry.blobs.mount(OTHER, CONFIG_DIGEST, APP, registry.admin) is not None


def begin(registry: Registry) -> None:
    replace(registry.uploads, new_id=lambda: SESSION).begin(APP, registry.admin)


def _receive(registry: Registry) -> None:
    registry.uploads.receive(APP, SESSION, registry.admin, None).close()


def commit(registry: Registry) -> None:
    reception = registry.uploads.receive(APP, SESSION, registry.admin, None)
    reception.append([LARGE])
    reception.commit(LARGE_DIGEST, registry.admin)


def _commit_small(registry: Registry) -> None:
    registry.uploads.put_small(APP, SESSION, registry.admin, CONFIG_DIGEST, CONFIG)


def _cancel(registry: Registry) -> None:
    registry.uploads.cancel(APP, SESSION, registry.admin)


def _expire(registry: Registry) -> None:
    later = in_a_month(cast("PostgresMetadata", registry.metadata))
    Sweeper(later, MemoryStore(), Tenure(later, "sweep", "expire"), NOTHING).run()


SCENES: Final[dict[str, Meeting]] = {
    "a mount, and the collector of the blob": Meeting(
        lambda registry: registry.push_blob(CONFIG),
        {"mount": Act(mount), "collect": COLLECT},
        lambda registry, outcomes: done(outcomes, "mount") is registry.serves(CONFIG_DIGEST, OTHER),
    ),
    "a client that is told that the blob is there, and the collector": Meeting(
        lambda registry: registry.push_blob(CONFIG),
        {
            "ask": Act(lambda registry: registry.blobs.renew(APP, CONFIG_DIGEST), (BlobUnknown,)),
            "collect": COLLECT,
        },
        lambda registry, outcomes: done(outcomes, "ask") is registry.serves(CONFIG_DIGEST),
    ),
    "two commits of one blob": Meeting(
        lambda registry: registry.push_blob(LARGE),
        both(Act(lambda registry: registry.push_blob(LARGE))),
        lambda registry, _: registry.serves(LARGE_DIGEST) and len(registry.doomed()) == 2,
    ),
    "a commit, and the collector of the same blob": Meeting(
        lambda registry: registry.push_blob(CONFIG),
        {"commit": Act(lambda registry: registry.push_blob(CONFIG)), "collect": COLLECT},
        lambda registry, _: registry.serves(CONFIG_DIGEST),
    ),
    "a commit elsewhere, and the collector of the same blob": Meeting(
        lambda registry: registry.push_blob(CONFIG),
        {"commit": Act(lambda registry: registry.push_blob(CONFIG, OTHER)), "collect": COLLECT},
        lambda registry, _: registry.serves(CONFIG_DIGEST, OTHER),
    ),
    "two first pushes of one blob": Meeting(
        lambda _: None,
        {
            "one": Act(lambda registry: registry.push_blob(CONFIG)),
            "other": Act(lambda registry: registry.push_blob(CONFIG, OTHER)),
        },
    ),
    "two collectors": Meeting(
        lambda registry: (registry.push_blob(CONFIG), registry.push_blob(CONFIG, OTHER)),
        both(COLLECT),
        lambda registry, _: registry.used() == {"team": 0},
    ),
    "two requests for one session": Meeting(begin, both(Act(_receive, ENDED))),
    "a commit of a session, and its cancellation": Meeting(
        begin,
        {"commit": Act(commit, ENDED), "cancel": Act(_cancel, ENDED)},
        lambda registry, outcomes: done(outcomes, "commit") is registry.serves(LARGE_DIGEST),
    ),
    "a commit of a session, and its expiry": Meeting(
        begin,
        {"commit": Act(commit, ENDED), "expire": Act(_expire, waits_in=frozenset())},
        lambda registry, outcomes: done(outcomes, "commit") is registry.serves(LARGE_DIGEST),
    ),
    "a small commit of a session, and another request for it": Meeting(
        begin,
        {"commit": Act(_commit_small, ENDED), "receive": Act(_receive, ENDED)},
    ),
}
