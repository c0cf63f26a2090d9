"""Many connections at once, by the registry's own rules: nothing lost, nothing counted twice, no deadlock told."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TypeVar
from uuid import uuid4

import pytest

from registry.core.blobs import BlobService
from registry.core.facts import Caller, ObjectKey, Repository
from registry.core.manifests import ManifestService
from registry.core.ports import Transaction
from registry.core.uploads import UploadService
from registry.metadata.postgres import PostgresMetadata
from registry.oci.digest import Digest
from registry.oci.errors import BlobUnknown, ManifestPartsUnknown, ManifestUnknown, NotAllowed
from registry.oci.media_types import OCI_INDEX, OCI_MANIFEST
from registry.oci.names import RepositoryName, Tag
from registry.storage.hashing import hashes
from registry.storage.memory import MemoryStore
from tests.support.postgres import ask, postgres_server
from tests.support.together import together

T = TypeVar("T")
THREADS = 8
HOUR = timedelta(hours=1)
APP, OTHER, ELSEWHERE = (RepositoryName(each) for each in ("team/app", "team/other", "solo/app"))
REPOSITORIES = (APP, OTHER, ELSEWHERE)
LATEST = Tag("latest")
BLOBS = [b"blob %d" % number for number in range(4)]


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_server().database() as url:
        yield url


@pytest.fixture
def metadata(url: str) -> Iterator[PostgresMetadata]:
    metadata = PostgresMetadata(url, pool_size=THREADS)
    yield metadata
    metadata.close()


@pytest.fixture
def alice(metadata: PostgresMetadata) -> Caller:
    return metadata.transact(lambda tx: tx.accounts.add("alice", "user"))


class House:
    """The rules, over this database; `sparse` is off."""

    def __init__(self, metadata: PostgresMetadata, by: Caller) -> None:
        store = MemoryStore()
        self.metadata = metadata
        self.by = by
        self.manifests = ManifestService(metadata, HOUR, HOUR, sparse=False)
        self.blobs = BlobService(metadata, store, HOUR, sparse=False)
        self.uploads = UploadService(metadata, store, hashes(), lambda: str(uuid4()), new_key, HOUR, HOUR)

    def push_blob(self, name: RepositoryName, content: bytes) -> None:
        self.uploads.put_small(name, None, self.by, Digest.of(content), content)

    def push_manifest(self, name: RepositoryName, content: bytes, *tags: Tag, kind: str = OCI_MANIFEST) -> None:
        self.manifests.put(name, Digest.of(content), content, kind, self.by, tags=sorted(tags))


@pytest.fixture
def house(metadata: PostgresMetadata, alice: Caller) -> House:
    return House(metadata, alice)


def new_key() -> ObjectKey:
    return ObjectKey(f"blobs/{uuid4()}")


def image(number: int) -> bytes:
    layers = ",".join(descriptor(each) for each in BLOBS[number % 2 :])
    note = f'"annotations":{{"number":"{number}"}}'
    return f'{{"schemaVersion":2,"config":{descriptor(BLOBS[0])},"layers":[{layers}],{note}}}'.encode()


def descriptor(content: bytes) -> str:
    return f'{{"mediaType":"a/b","digest":"{Digest.of(content)}","size":{len(content)}}}'


def index(*manifests: bytes) -> bytes:
    return f'{{"schemaVersion":2,"manifests":[{",".join(map(descriptor, manifests))}]}}'.encode()


def put_link(repository: Repository, digest: Digest, tx: Transaction) -> bool:
    return tx.links.put(repository, digest, HOUR)


# Two at once


def test_a_repository_that_many_push_first_is_made_once(metadata: PostgresMetadata) -> None:
    def make(name: RepositoryName) -> Repository:
        return metadata.transact(lambda tx: tx.repositories.get_or_create(name))

    for number in range(5):
        assert len(set(together(*[partial(make, RepositoryName(f"new{number}/app"))] * THREADS))) == 1


def test_an_account_that_two_replicas_make_is_made_by_one_of_them(metadata: PostgresMetadata) -> None:
    def settle(tx: Transaction) -> Caller:
        return tx.accounts.find("root") or tx.accounts.add("root", "user")

    assert len(set(together(*[lambda: metadata.transact(settle)] * THREADS))) == 1


def test_a_link_that_many_put_is_new_to_one_of_them(metadata: PostgresMetadata, house: House) -> None:
    for content in BLOBS:
        house.push_blob(OTHER, content)
        app = metadata.transact(lambda tx: tx.repositories.get_or_create(APP))
        link = partial(metadata.transact, partial(put_link, app, Digest.of(content)))
        put = together(*[link] * THREADS)
        assert sorted(put) == [False] * (THREADS - 1) + [True]


def test_of_a_blob_that_many_commit_one_object_lives_and_the_others_are_doomed(metadata: PostgresMetadata) -> None:
    digest = Digest.of(b"big")

    def commit() -> int:
        return metadata.transact(lambda tx: tx.blobs.put_object(digest, 3, tx.objects.add(new_key())))

    for rounds in range(1, 4):
        assert len(set(together(*[commit] * THREADS))) == 1
        doomed = metadata.observe(lambda tx: tx.objects.doomed(tx.now, 1000))
        assert len(doomed) == rounds * THREADS - 1


def test_every_interval_of_a_tag_that_many_set_is_remembered(
    metadata: PostgresMetadata, house: House, url: str
) -> None:
    for content in BLOBS:
        house.push_blob(APP, content)
    # The first manifest of a repository makes all others wait for it.
    house.push_manifest(APP, image(THREADS))
    together(*[partial(house.push_manifest, APP, image(number), LATEST) for number in range(THREADS)])
    assert ask(url, "SELECT count(*) FROM tag_history") == [(THREADS - 1,)]
    assert ask(url, "SELECT count(*) FROM event WHERE action = 'tag.set'") == [(THREADS,)]


def test_a_tag_that_moves_while_it_is_deleted_was_there(metadata: PostgresMetadata, house: House) -> None:
    for content in BLOBS:
        house.push_blob(APP, content)
    for number in range(10):
        house.push_manifest(APP, image(2 * number), LATEST)
        # Found, whichever of the two it points to by then.
        together(
            partial(house.push_manifest, APP, image(2 * number + 1), LATEST),
            partial(house.manifests.delete_tag, APP, LATEST, house.by),
        )


def refused(work: Callable[[], object], *errors: type[Exception]) -> bool:
    try:
        work()
    except errors:
        return True
    return False


def test_a_blob_is_deleted_or_needed_never_both(house: House) -> None:
    for number in range(10):
        name = RepositoryName(f"team/app{number}")
        for content in BLOBS:
            house.push_blob(name, content)
        push = partial(house.push_manifest, name, image(number))
        delete = partial(house.blobs.delete, name, Digest.of(BLOBS[-1]), house.by)
        outcome = together(partial(refused, push, ManifestPartsUnknown), partial(refused, delete, NotAllowed))
        assert sorted(outcome) == [False, True]


def test_a_child_is_deleted_or_needed_never_both(house: House, url: str) -> None:
    for content in BLOBS:
        house.push_blob(APP, content)

    for number in range(10):
        child = image(number)
        house.push_manifest(APP, child)
        push = partial(house.push_manifest, APP, index(child), kind=OCI_INDEX)
        delete = partial(house.manifests.delete, APP, Digest.of(child), house.by)
        outcome = together(partial(refused, push, ManifestPartsUnknown), partial(refused, delete, NotAllowed))
        assert sorted(outcome) == [False, True]


# All at once


Act = Callable[[House, random.Random], object]


def any_name(chance: random.Random) -> RepositoryName:
    return chance.choice((APP, OTHER, ELSEWHERE))


def any_blob(chance: random.Random) -> Digest:
    return Digest.of(chance.choice(BLOBS))


def any_tags(chance: random.Random) -> list[Tag]:
    return [Tag(f"t{number}") for number in sorted(chance.sample(range(4), 2))]


def any_image(chance: random.Random) -> bytes:
    return image(chance.randrange(12))


PUSHING: dict[Act, int] = {
    lambda house, chance: house.push_blob(any_name(chance), chance.choice(BLOBS)): 5,
    lambda house, chance: house.blobs.mount(any_name(chance), any_blob(chance), any_name(chance), house.by): 5,
    lambda house, chance: house.push_manifest(any_name(chance), any_image(chance), *any_tags(chance)): 8,
    lambda house, chance: house.push_manifest(any_name(chance), index(any_image(chance)), LATEST, kind=OCI_INDEX): 2,
}
DELETING: dict[Act, int] = {
    lambda house, chance: house.manifests.delete_tag(any_name(chance), any_tags(chance)[0], house.by): 2,
    lambda house, chance: house.manifests.delete(any_name(chance), Digest.of(any_image(chance)), house.by): 2,
    lambda house, chance: house.blobs.delete(any_name(chance), any_blob(chance), house.by): 1,
}


def live(house: House, acts: dict[Act, int]) -> None:
    """Each thread does one thing after another, whatever the others do meanwhile."""

    def work(chance: random.Random) -> None:
        for _ in range(40):
            try:
                chance.choices(list(acts), list(acts.values()))[0](house, chance)
            except (ManifestPartsUnknown, ManifestUnknown, NotAllowed, BlobUnknown):
                # Refused by the rules, for what another one has just done.
                continue

    together(*[partial(work, random.Random(seed)) for seed in range(THREADS)])  # noqa: S311  repeatable


def check_books(url: str) -> None:
    assert ask(url, WRONG_LINKS) == []
    assert ask(url, WRONG_USAGE) == []
    assert ask(url, DANGLING) == []
    assert ask(url, "SELECT count(*) > 50 FROM event") == [(True,)]
    assert ask(url, UNTOLD_INTERVALS) == [(0,)]


def test_whoever_pushes_at_once_is_counted_once_and_waits_for_nobody_in_a_circle(house: House, url: str) -> None:
    live(house, PUSHING)
    check_books(url)
    assert ask(url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]


def test_when_some_delete_what_others_push_the_sums_are_right_and_nothing_dangles(house: House, url: str) -> None:
    live(house, PUSHING | DELETING)
    check_books(url)


# What each project is charged for, counted anew from the links and manifests that there are.
WRONG_LINKS = """
WITH counted AS (
    SELECT project_id, 'blob' AS kind, digest, count(*) AS links
    FROM link JOIN repository ON repository.id = repository_id GROUP BY project_id, digest
    UNION ALL
    SELECT project_id, 'manifest', digest, count(*)
    FROM manifest JOIN repository ON repository.id = repository_id GROUP BY project_id, digest
), charged AS (SELECT project_id, kind, digest, links FROM project_content)
(TABLE counted EXCEPT TABLE charged) UNION ALL (TABLE charged EXCEPT TABLE counted)
"""
WRONG_USAGE = """
SELECT name, used FROM project WHERE used IS DISTINCT FROM
    (SELECT coalesce(sum(size), 0) FROM project_content WHERE project_id = project.id)
"""
UNTOLD_INTERVALS = """
SELECT count(*) - (SELECT count(*) FROM tag) - (SELECT count(*) FROM tag_history) FROM event WHERE action = 'tag.set'
"""
# Tags of what is deleted, and what visible manifests need and is not there.
DANGLING = """
SELECT 'tag', tag.name FROM tag JOIN manifest ON manifest.id = manifest_id WHERE deleted_at IS NOT NULL
UNION ALL
SELECT 'part', encode(reference.digest, 'hex') FROM reference JOIN manifest ON manifest.id = manifest_id
WHERE manifest.deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM link WHERE link.repository_id = reference.repository_id
        AND link.digest = reference.digest AND link.deleted_at IS NULL)
    AND NOT EXISTS (SELECT FROM manifest AS child WHERE child.repository_id = reference.repository_id
        AND child.digest = reference.digest AND child.deleted_at IS NULL)
"""
