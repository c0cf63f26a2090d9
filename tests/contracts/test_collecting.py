"""What the collector takes and what it leaves, on every database: nothing that is held, everything that is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest

from registry.core import collect
from registry.core.accounts import settle
from registry.core.blobs import BlobService
from registry.core.collect import Collected, Collector, Verdict, _links
from registry.core.collect_facts import Review
from registry.core.facts import Caller, ContentKind, ObjectKey
from registry.core.manifests import ManifestService
from registry.core.ports import Metadata, ObjectStore, Transaction
from registry.core.sweep import COLLECTOR_PAUSED
from registry.core.uploads import UploadService
from registry.oci.digest import Digest
from registry.oci.media_types import OCI_INDEX, OCI_MANIFEST
from registry.oci.names import RepositoryName, Tag
from registry.storage.hashing import hashes
from registry.storage.layout import new_key
from registry.storage.memory import MemoryStore

APP, OTHER, AWAY = RepositoryName("team/app"), RepositoryName("team/other"), RepositoryName("away/app")
NOTHING, DAY = timedelta(0), timedelta(days=1)
CONFIG, LAYER, LARGE = b"{}", b"a layer", b"large" * 4000
V1 = Tag("v1")


@dataclass
class Registry:
    """The rules over one database; leases and undo windows are over at once, unless told otherwise."""

    metadata: Metadata
    lease: timedelta = NOTHING
    undo_window: timedelta = NOTHING
    store: ObjectStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        self.admin: Caller = settle(self.metadata, lambda: "hash")[0].admin
        self.uploads = UploadService(
            self.metadata, self.store, hashes(), lambda: str(uuid4()), new_key, self.lease, DAY
        )
        self.blobs = BlobService(self.metadata, self.store, self.lease, sparse=False)
        self.manifests = ManifestService(self.metadata, self.lease, self.undo_window, sparse=False)
        self.collector = Collector(self.metadata, self.undo_window)

    def push_blob(self, content: bytes, name: RepositoryName = APP) -> Digest:
        digest = Digest.of(content)
        if len(content) > 4096:
            reception = self.uploads.receive(name, self.uploads.begin(name, self.admin), self.admin, None, digest)
            reception.append([content])
            reception.commit(digest, self.admin)
            reception.close()
        else:
            self.uploads.put_small(name, None, self.admin, digest, content)
        return digest

    def push(self, content: bytes, tag: Tag | None = V1, name: RepositoryName = APP) -> Digest:
        media_type = json.loads(content)["mediaType"]
        return self.manifests.put(name, tag or Digest.of(content), content, media_type, self.admin).digest

    def push_image(self, *layers: bytes, tag: Tag | None = V1, name: RepositoryName = APP) -> Digest:
        for each in (CONFIG, *layers):
            self.push_blob(each, name)
        return self.push(image(*layers), tag, name)

    def serves(self, digest: Digest, name: RepositoryName = APP) -> bool:
        def look(tx: Transaction) -> bool:
            repository = tx.repositories.find(name)
            return repository is not None and tx.links.find(repository, digest) is not None

        return self.metadata.observe(look)

    def collect(self) -> Collected:
        return self.collector.run()

    def used(self) -> dict[str, int]:
        return {each.name: each.used for each in self.metadata.observe(lambda tx: tx.usage.projects(0, 100))}

    def doomed(self) -> Sequence[tuple[int, ObjectKey]]:
        return self.metadata.observe(lambda tx: tx.objects.doomed(tx.now, 100))

    def check(self) -> None:
        """Usage is what is held, to the byte."""
        for each in self.metadata.observe(lambda tx: tx.usage.projects(0, 100)):
            assert self.metadata.observe(partial(_miscounts, each.id)) == []
            assert each.used == each.owed


def _miscounts(project: int, tx: Transaction) -> Sequence[object]:
    return tx.usage.miscounts(project, 100)


def image(*layers: bytes, subject: Digest | None = None, subject_size: int = 0) -> bytes:
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": str(Digest.of(CONFIG)),
            "size": 2,
        },
        "layers": [
            {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": str(Digest.of(each)), "size": len(each)}
            for each in layers
        ],
    }
    if subject is not None:
        document["subject"] = {"mediaType": OCI_MANIFEST, "digest": str(subject), "size": subject_size}
    return json.dumps(document).encode()


def index(*children: bytes) -> bytes:
    listed = [{"mediaType": OCI_MANIFEST, "digest": str(Digest.of(each)), "size": len(each)} for each in children]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}).encode()


@pytest.fixture
def registry(metadata: Metadata) -> Registry:
    return Registry(metadata)


def test_a_blob_that_no_manifest_ever_named_goes_when_its_lease_is_over(metadata: Metadata, registry: Registry) -> None:
    leased = Registry(metadata, lease=DAY)
    kept, gone = leased.push_blob(b"leased"), registry.push_blob(b"not leased")
    collected = registry.collect()
    assert (collected.links, collected.blobs) == (1, 1)
    assert (registry.serves(kept), registry.serves(gone)) == (True, False)
    assert registry.used() == {"team": 6}
    registry.check()


def test_what_a_manifest_names_stays(registry: Registry) -> None:
    registry.push_image(LAYER, LARGE)
    registry.push_image(b"untagged", tag=None)
    assert registry.collect() == Collected(kept=4)
    assert registry.collect() == Collected()
    assert all(map(registry.serves, map(Digest.of, (CONFIG, LAYER, LARGE, b"untagged"))))


def test_a_deleted_manifest_takes_along_what_it_alone_held(registry: Registry) -> None:
    gone, kept = registry.push_image(LAYER, LARGE), registry.push_image(LAYER, tag=Tag("v2"))
    registry.manifests.delete(APP, gone, registry.admin)
    registry.collect()
    registry.collect()
    assert registry.metadata.observe(lambda tx: tx.manifests.find(tx.repositories.get_or_create(APP), kept)) == kept
    assert [registry.serves(Digest.of(each)) for each in (CONFIG, LAYER, LARGE)] == [True, True, False]
    assert len(registry.doomed()) == 1
    registry.check()
    assert registry.used() == {"team": len(CONFIG) + len(LAYER) + len(image(LAYER))}


def test_a_deleted_manifest_stays_with_all_its_parts_while_it_can_be_restored(metadata: Metadata) -> None:
    registry = Registry(metadata, undo_window=DAY)
    digest, used = registry.push_image(LARGE), registry.used()
    registry.manifests.delete(APP, digest, registry.admin)
    collected = registry.collect()
    assert (collected.manifests, collected.links, collected.blobs) == (0, 0, 0)
    assert registry.used() == used
    assert registry.push(image(LARGE)) == digest
    registry.check()


def test_a_blob_that_another_repository_serves_goes_from_this_one_only(registry: Registry) -> None:
    for name in (APP, OTHER, AWAY):
        registry.push_image(LARGE, name=name)
    replaced = registry.doomed()
    registry.manifests.delete(APP, Digest.of(image(LARGE)), registry.admin)
    registry.collect()
    registry.collect()
    served = [registry.serves(Digest.of(LARGE), name) for name in (APP, OTHER, AWAY)]
    assert served == [False, True, True]
    assert registry.doomed() == replaced
    registry.check()


def test_a_child_that_was_deleted_waits_for_its_index(metadata: Metadata) -> None:
    registry = Registry(metadata)
    child = registry.push_image(LAYER, tag=None)
    whole = registry.push(index(image(LAYER)))
    # Both are deleted, the index first, as a live one protects its children.
    registry.manifests.delete(APP, whole, registry.admin)
    registry.manifests.delete(APP, child, registry.admin)
    for _ in range(4):
        registry.collect()
    assert registry.used() == {"team": 0}
    assert not registry.serves(Digest.of(LAYER))
    registry.check()


def test_untagged_referrers_follow_their_subject_and_tagged_ones_stay(registry: Registry) -> None:
    subject = registry.push_image(LAYER)
    about = image(b"signature", subject=subject, subject_size=len(image(LAYER)))
    tagged = image(b"sbom", subject=subject, subject_size=len(image(LAYER)))
    for part in (b"signature", b"sbom"):
        registry.push_blob(part)
    registry.push(about, None)
    registry.push(tagged, Tag("sbom"))
    registry.manifests.delete(APP, subject, registry.admin)
    for _ in range(4):
        registry.collect()
    assert [registry.serves(Digest.of(each)) for each in (LAYER, b"signature", b"sbom")] == [False, False, True]
    registry.check()


def test_a_referrer_of_what_never_came_stays(registry: Registry) -> None:
    registry.push_blob(CONFIG)
    registry.push_blob(b"early")
    digest = registry.push(image(b"early", subject=Digest.of(b"to come"), subject_size=7), Tag("early"))
    registry.manifests.delete_tag(APP, Tag("early"), registry.admin)
    registry.collect()
    registry.collect()
    assert registry.serves(Digest.of(b"early"))
    found = registry.metadata.observe(lambda tx: tx.manifests.find(tx.repositories.get_or_create(APP), digest))
    assert found == digest


def test_a_deleted_blob_leaves_its_project_and_the_store(registry: Registry) -> None:
    digest = registry.push_blob(LARGE)
    registry.blobs.delete(APP, digest, registry.admin)
    collected = registry.collect()
    assert (collected.links, collected.blobs) == (1, 1)
    assert registry.used() == {"team": 0}
    assert len(registry.doomed()) == 1


def test_bytes_that_a_manifest_and_a_blob_share_go_with_the_last_of_them(registry: Registry) -> None:
    """A manifest may be pushed as a blob too, and SQL keeps such bytes once."""
    registry.push_blob(CONFIG)
    content = image()
    digest = registry.push(content)
    assert registry.push_blob(content) == digest
    registry.collect()
    assert not registry.serves(digest)
    assert registry.push(content, Tag("again")) == digest
    registry.check()


def test_nothing_goes_while_the_collector_is_paused(registry: Registry) -> None:
    digest = registry.push_blob(b"anything")
    registry.metadata.transact(lambda tx: tx.settings.put(COLLECTOR_PAUSED, "restored"))
    assert registry.collect() == Collected()
    assert registry.serves(digest)
    registry.metadata.transact(lambda tx: tx.settings.remove(COLLECTOR_PAUSED))
    registry.collect()
    assert not registry.serves(digest)


def test_a_round_that_is_paused_in_its_middle_takes_no_more(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "_BATCH", 1)
    for number in range(5):
        registry.push_blob(b"blob %d" % number)
    pause = partial(registry.metadata.transact, lambda tx: tx.settings.put(COLLECTOR_PAUSED, "a test"))
    assert replace(registry.collector, rest=pause).run().blobs == 1
    assert registry.collect() == Collected()
    registry.metadata.transact(lambda tx: tx.settings.remove(COLLECTOR_PAUSED))
    assert registry.collect().blobs == 4


def test_what_was_pushed_again_is_pushed_from_the_beginning(registry: Registry) -> None:
    digest = Digest.of(image(LAYER, LARGE))
    for _ in range(3):
        registry.push_image(LAYER, LARGE)
        registry.manifests.delete(APP, digest, registry.admin)
        for _ in range(2):
            registry.collect()
        assert registry.used() == {"team": 0}
    assert registry.push_image(LAYER, LARGE) == digest
    assert registry.serves(Digest.of(LARGE))
    registry.check()


def test_a_review_that_was_enqueued_anew_is_not_settled_by_who_read_the_former(registry: Registry) -> None:
    registry.push_image(LAYER)
    [former, *_] = registry.metadata.observe(lambda tx: tx.reviews.due(tx.now, None, 10))
    repository = registry.metadata.observe(lambda tx: tx.repositories.get_or_create(APP))
    digest = former.digest
    registry.metadata.transact(lambda tx: tx.journal.review(repository, ContentKind.BLOB, digest, tx.now))
    registry.metadata.transact(lambda tx: tx.reviews.settle([former]))
    later = registry.metadata.observe(lambda tx: tx.reviews.due(tx.now, None, 10))
    assert digest in {each.digest for each in later}


def test_every_review_comes_once_however_many_there_are(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.core.collect._BATCH", 3)
    for number in range(20):
        registry.push_blob(b"blob %d" % number)
    assert registry.collect().blobs == 20


def test_what_several_repositories_let_go_of_at_once_is_refunded_for_each_and_goes_once(registry: Registry) -> None:
    for name in (APP, OTHER, AWAY):
        registry.push_blob(LARGE, name)
        registry.push_blob(LAYER, name)
    replaced = len(registry.doomed())
    collected = registry.collect()
    assert (collected.links, collected.blobs, collected.refused) == (6, 2, 0)
    assert registry.used() == {"team": 0, "away": 0}
    assert len(registry.doomed()) == replaced + 1
    registry.check()


def test_digests_of_different_lengths_are_decided_about_together(registry: Registry) -> None:
    longer = Digest.of(LAYER, "sha512")
    registry.uploads.put_small(APP, None, registry.admin, longer, LAYER)
    registry.push_blob(LAYER)
    kept = registry.push_image(b"kept")
    assert registry.collect().blobs == 2
    assert [registry.serves(each) for each in (longer, Digest.of(LAYER), Digest.of(b"kept"))] == [False, False, True]
    assert registry.metadata.observe(lambda tx: tx.manifests.find(tx.repositories.get_or_create(APP), kept)) == kept
    registry.check()


def test_one_that_the_database_will_not_let_go_does_not_keep_the_others(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = registry.push_blob(b"wanted")
    gone = [registry.push_blob(b"gone %d" % number) for number in range(5)]
    registry.push_image(tag=None)
    # Nobody sees any more that it is linked still; the foreign key does.
    monkeypatch.setattr("registry.core.collect._links", _links_but(wanted))
    monkeypatch.setattr("registry.metadata.collecting.Collection.linked", lambda *_: frozenset())
    collected = registry.collect()
    assert (collected.blobs, collected.refused) == (5, 1)
    assert [registry.serves(each) for each in (wanted, *gone)] == [True] + 5 * [False]
    registry.check()


def _links_but(wanted: Digest) -> Callable[[Transaction, Sequence[Review]], Mapping[Review, Verdict]]:
    """As the collector decides about links, but for one, of which it is told that it is gone."""

    def decide(tx: Transaction, lot: Sequence[Review]) -> Mapping[Review, Verdict]:
        told = {review: Verdict.UNLINKED for review in lot if review.digest == wanted}
        return {**_links(tx, [review for review in lot if review not in told]), **told}

    return decide


def test_it_gives_way_after_each_transaction(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.core.collect._BATCH", 2)
    rests: list[bool] = []
    digests = [registry.push_blob(b"blob %d" % number) for number in range(4)]
    collector = Collector(registry.metadata, NOTHING, lambda: rests.append(any(map(registry.serves, digests))))
    assert collector.run().blobs == 4
    # Two lots, each with its links and its blobs; what is decided is committed by then.
    assert rests == [True, True, False, False]
