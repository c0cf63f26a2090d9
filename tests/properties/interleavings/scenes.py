"""Who meets whom: the pairs of transactions that locks and conditions of design 3 keep apart, one scene each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Final, cast

from registry.core.facts import Repository
from registry.core.ports import Transaction
from registry.core.refusals import NotRestorable
from registry.core.sweep import Sweeper
from registry.core.tenure import Tenure
from registry.core.undo import UndoService
from registry.metadata.postgres import PostgresMetadata
from registry.oci.digest import Digest
from registry.oci.errors import (
    BlobUnknown,
    ManifestPartsUnknown,
    ManifestUnknown,
    NotAllowed,
    UploadTakenOver,
    UploadUnknown,
)
from registry.oci.names import Tag
from registry.storage.memory import MemoryStore
from tests.contracts.test_collecting import APP, CONFIG, DAY, LARGE, LAYER, NOTHING, OTHER, V1, Registry, image, index
from tests.support.books import check_books, check_nothing_is_left, check_the_past
from tests.support.clock import Ahead
from tests.support.explorer import Stage

Outcomes = Mapping[str, object]
V2: Final = Tag("v2")
MANIFEST: Final = image()
"""The smallest there is: it needs CONFIG and nothing else."""
OVER: Final = timedelta(days=30)
ROUNDS: Final = 6


@cache
def registry_on(metadata: PostgresMetadata | Ahead, lease: timedelta, undo_window: timedelta) -> Registry:
    """One for all schedules of a stage."""
    return Registry(metadata, lease, undo_window)


@dataclass(frozen=True)
class Act:
    """What somebody does, under which lease and window; `refusals` are what may come of it instead."""

    do: Callable[[Registry], object]
    refusals: tuple[type[Exception], ...] = ()
    lease: timedelta = DAY
    undo_window: timedelta = NOTHING

    def on(self, metadata: PostgresMetadata) -> Callable[[], object]:
        registry = registry_on(metadata, self.lease, self.undo_window)
        return lambda: self.do(registry)


@dataclass(frozen=True)
class Meeting:
    """A `Scene`: leases and windows of what was there before are over; `ends` is what may have come of it."""

    before: Callable[[Registry], object]
    acts: Mapping[str, Act]
    ends: Callable[[Registry, Outcomes], bool] = lambda _, __: True

    @property
    def actors(self) -> Mapping[str, Callable[[PostgresMetadata], Callable[[], object]]]:
        return {name: act.on for name, act in self.acts.items()}

    def prepare(self, stage: Stage) -> None:
        self.before(registry_on(stage.prompter, NOTHING, NOTHING))

    def check(self, stage: Stage, outcomes: Mapping[str, object]) -> None:
        registry = registry_on(stage.prompter, NOTHING, NOTHING)
        for name, outcome in outcomes.items():
            is_allowed = isinstance(outcome, self.acts[name].refusals) or not isinstance(outcome, BaseException)
            assert is_allowed, f"{name} came to {outcome!r}"
        check_books(stage.ask)
        check_the_past(stage.ask)
        registry.check()
        assert self.ends(registry, outcomes), f"so it must not end: {outcomes}"
        _come_to_rest(stage)
        check_nothing_is_left(stage.ask)
        registry.check()


def _come_to_rest(stage: Stage) -> None:
    """Whatever is held only for a while is held no more, and is collected and swept."""
    later = registry_on(_in_a_month(stage.prompter), NOTHING, NOTHING)
    for _ in range(ROUNDS):
        if stage.ask("SELECT 1 FROM review LIMIT 1") == []:
            break
        later.collect()
    Sweeper(later.metadata, MemoryStore(), Tenure(later.metadata, "sweep", "rest"), NOTHING).run()


@cache
def _in_a_month(metadata: PostgresMetadata) -> Ahead:
    return Ahead(metadata, OVER)


COLLECT: Final = Act(Registry.collect)
CONFIG_DIGEST, LARGE_DIGEST, IMAGE = Digest.of(CONFIG), Digest.of(LARGE), Digest.of(MANIFEST)
PAIR: Final = index(MANIFEST, image(LAYER))
ABOUT: Final = image(subject=IMAGE, subject_size=len(MANIFEST))
SESSION: Final = "session"
ENDED: Final = UploadUnknown, UploadTakenOver
TAGGED: Final = image(LAYER)
"""Another one, that needs CONFIG too."""


def _push(content: bytes, tag: Tag | None = V1, *refusals: type[Exception]) -> Act:
    return Act(lambda registry: registry.push(content, tag), refusals)


def _delete(digest: Digest, *refusals: type[Exception]) -> Act:
    return Act(lambda registry: registry.manifests.delete(APP, digest, registry.admin), refusals)


def _mount(registry: Registry) -> bool:
    return registry.blobs.mount(OTHER, CONFIG_DIGEST, APP, registry.admin) is not None


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


def _begin(registry: Registry) -> None:
    replace(registry.uploads, new_id=lambda: SESSION).begin(APP, registry.admin)


def _receive(registry: Registry) -> None:
    registry.uploads.receive(APP, SESSION, registry.admin, None).close()


def _commit(registry: Registry) -> None:
    reception = registry.uploads.receive(APP, SESSION, registry.admin, None)
    reception.append([LARGE])
    reception.commit(LARGE_DIGEST, registry.admin)


def _commit_small(registry: Registry) -> None:
    registry.uploads.put_small(APP, SESSION, registry.admin, CONFIG_DIGEST, CONFIG)


def _cancel(registry: Registry) -> None:
    registry.uploads.cancel(APP, SESSION, registry.admin)


def _expire(registry: Registry) -> None:
    later = _in_a_month(cast("PostgresMetadata", registry.metadata))
    Sweeper(later, MemoryStore(), Tenure(later, "sweep", "expire"), NOTHING).run()


def _push_both(registry: Registry) -> None:
    registry.push_image(tag=None)
    registry.push_image(LAYER, tag=None)


def _shows(registry: Registry, digest: Digest) -> bool:
    return registry.metadata.observe(lambda tx: tx.manifests.find(_app(tx), digest)) is not None


def _points_to(registry: Registry, tag: Tag) -> Digest | None:
    return registry.metadata.observe(lambda tx: tx.manifests.find(_app(tx), tag))


def _app(tx: Transaction) -> Repository:
    repository = tx.repositories.find(APP)
    assert repository is not None
    return repository


def _done(outcomes: Outcomes, name: str) -> bool:
    return not isinstance(outcomes[name], Exception) and outcomes[name] is not False


SCENES: Final[Mapping[str, Meeting]] = {
    "a push, and the collector of what it needs": Meeting(
        lambda registry: registry.push_blob(CONFIG),
        {"push": _push(MANIFEST, V1, ManifestPartsUnknown), "collect": COLLECT},
        lambda registry, outcomes: _done(outcomes, "push") is registry.serves(CONFIG_DIGEST),
    ),
    "a push, and the deletion of a blob that it needs": Meeting(
        lambda registry: registry.push_blob(CONFIG),
        {
            "push": _push(MANIFEST, V1, ManifestPartsUnknown),
            "delete": Act(lambda registry: registry.blobs.delete(APP, CONFIG_DIGEST, registry.admin), (NotAllowed,)),
        },
        lambda _, outcomes: _done(outcomes, "push") is not _done(outcomes, "delete"),
    ),
    "a push of an index, and the deletion of its child": Meeting(
        lambda registry: registry.push_image(tag=None),
        {"push": _push(index(MANIFEST), V1, ManifestPartsUnknown), "delete": _delete(IMAGE, NotAllowed)},
        lambda _, outcomes: _done(outcomes, "push") is not _done(outcomes, "delete"),
    ),
    "a mount, and the collector of the blob": Meeting(
        lambda registry: registry.push_blob(CONFIG),
        {"mount": Act(_mount), "collect": COLLECT},
        lambda registry, outcomes: _done(outcomes, "mount") is registry.serves(CONFIG_DIGEST, OTHER),
    ),
    "a client that is told that the blob is there, and the collector": Meeting(
        lambda registry: registry.push_blob(CONFIG),
        {
            "ask": Act(lambda registry: registry.blobs.renew(APP, CONFIG_DIGEST), (BlobUnknown,)),
            "collect": COLLECT,
        },
        lambda registry, outcomes: _done(outcomes, "ask") is registry.serves(CONFIG_DIGEST),
    ),
    "two commits of one blob": Meeting(
        lambda registry: registry.push_blob(LARGE),
        {
            "one": Act(lambda registry: registry.push_blob(LARGE)),
            "other": Act(lambda registry: registry.push_blob(LARGE)),
        },
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
    "a restore, and the collector": Meeting(
        _push_and_delete,
        {"restore": Act(_restore, (ManifestUnknown,)), "collect": COLLECT},
        lambda registry, outcomes: _done(outcomes, "restore") is _shows(registry, IMAGE),
    ),
    "a push of what was deleted, and the collector": Meeting(
        _push_and_delete,
        {"push": _push(MANIFEST), "collect": COLLECT},
        lambda registry, _: _shows(registry, IMAGE),
    ),
    "a restore of a tag, and the deletion of its manifest": Meeting(
        _push_and_delete_tag,
        {"restore": Act(_restore_tag), "delete": _delete(IMAGE)},
        lambda registry, _: _points_to(registry, V1) == (IMAGE if _shows(registry, IMAGE) else None),
    ),
    "a push by another tag, and the deletion of the manifest": Meeting(
        lambda registry: registry.push_image(tag=V1),
        {"push": _push(MANIFEST, V2), "delete": _delete(IMAGE)},
        lambda registry, _: _points_to(registry, V2) == (IMAGE if _shows(registry, IMAGE) else None),
    ),
    "two pushes of one tag": Meeting(
        _push_both,
        {"one": _push(MANIFEST), "other": _push(TAGGED)},
    ),
    "two collectors": Meeting(
        lambda registry: (registry.push_blob(CONFIG), registry.push_blob(CONFIG, OTHER)),
        {"one": COLLECT, "other": COLLECT},
        lambda registry, _: registry.used() == {"team": 0},
    ),
    "two pushes that move one tag": Meeting(
        _push_tagged,
        {"one": _push(TAGGED), "other": _push(index(TAGGED))},
    ),
    "two deletions of one tag": Meeting(
        _push_tagged,
        {
            "one": Act(lambda registry: registry.manifests.delete_tag(APP, V1, registry.admin), (ManifestUnknown,)),
            "other": Act(lambda registry: registry.manifests.delete_tag(APP, V1, registry.admin), (ManifestUnknown,)),
        },
        lambda _, outcomes: _done(outcomes, "one") is not _done(outcomes, "other"),
    ),
    "a push that tags a referrer, and the collector of its subject": Meeting(
        _push_referrer,
        {"push": _push(ABOUT, V2), "collect": COLLECT},
        lambda registry, _: _points_to(registry, V2) == Digest.of(ABOUT),
    ),
    "an index that lists a referrer, and the collector of its subject": Meeting(
        _push_referrer,
        {"push": _push(index(ABOUT), V2, ManifestPartsUnknown), "collect": COLLECT},
        lambda registry, outcomes: not _done(outcomes, "push") or _shows(registry, Digest.of(ABOUT)),
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
        {"one": _delete(IMAGE, ManifestUnknown), "other": _delete(IMAGE, ManifestUnknown)},
        lambda _, outcomes: _done(outcomes, "one") is not _done(outcomes, "other"),
    ),
    "two requests for one session": Meeting(_begin, {"one": Act(_receive, ENDED), "other": Act(_receive, ENDED)}),
    "a commit of a session, and its cancellation": Meeting(
        _begin,
        {"commit": Act(_commit, ENDED), "cancel": Act(_cancel, ENDED)},
        lambda registry, outcomes: _done(outcomes, "commit") is registry.serves(LARGE_DIGEST),
    ),
    "a commit of a session, and its expiry": Meeting(
        _begin,
        {"commit": Act(_commit, ENDED), "expire": Act(_expire)},
        lambda registry, outcomes: _done(outcomes, "commit") is registry.serves(LARGE_DIGEST),
    ),
    "a small commit of a session, and another request for it": Meeting(
        _begin,
        {"commit": Act(_commit_small, ENDED), "receive": Act(_receive, ENDED)},
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
        lambda registry, outcomes: _done(outcomes, "restore") is _shows(registry, Digest.of(PAIR)),
    ),
    "a deletion of a referrer, and the collector of its subject": Meeting(
        _push_referrer,
        {"delete": _delete(Digest.of(ABOUT), ManifestUnknown), "collect": COLLECT},
    ),
    "two restores of one tag": Meeting(
        _push_and_delete_index,
        {"one": Act(_restore_tag, (ManifestUnknown,)), "other": Act(_restore_tag, (ManifestUnknown,))},
        lambda registry, _: _shows(registry, Digest.of(PAIR)),
    ),
    "a restore of an index, and a push of it": Meeting(
        _push_and_delete_index,
        {"restore": Act(_restore_tag), "push": _push(PAIR, V2, ManifestPartsUnknown)},
        lambda registry, _: _shows(registry, Digest.of(PAIR)),
    ),
}
