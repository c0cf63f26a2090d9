"""Two who grow at the same moment on PostgreSQL: the second waits until the first has committed, and counts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from registry.core.quota import Resource, Scope
from registry.core.quota_service import QuotaService
from registry.metadata.postgres import PostgresMetadata
from registry.oci.digest import Digest
from registry.oci.errors import QuotaExceeded
from registry.oci.names import RepositoryName, Tag
from tests.contracts.limited import Limited
from tests.contracts.test_collecting import APP, AWAY, LAYER, OTHER, image
from tests.support.postgres import ask, postgres_server
from tests.system.waiting import eventually

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@dataclass
class Race:
    """A registry, and the database that says who waits."""

    registry: Limited
    url: str

    def is_second_refused(self, first: Callable[[Any], object], second: Callable[[], object]) -> bool:
        """`first` is a transaction that has settled and not committed when `second` comes."""

        def work(tx: Any) -> Future[object]:
            first(tx)
            tx.finish()
            later = pool.submit(second)
            eventually("it waits, or need not", lambda: later.done() or ask(self.url, WAITING) == [(1,)])
            return later

        with ThreadPoolExecutor(1) as pool:
            return isinstance(self.registry.metadata.transact(work).exception(30), QuotaExceeded)


@pytest.fixture
def race() -> Iterator[Race]:
    with postgres_server().database() as url, closing(PostgresMetadata(url, pool_size=4)) as metadata:
        yield Race(Limited(metadata), url)


def put(race: Race, name: RepositoryName, content: bytes) -> Callable[[Any], object]:
    return race.registry.uploads.putting_small(name, None, race.registry.admin, Digest.of(content), content)


def test_for_the_last_bytes_of_a_project(race: Race) -> None:
    race.registry.limit(10)
    assert race.is_second_refused(put(race, APP, b"123456"), lambda: race.registry.push_blob(b"abcdef"))
    assert race.registry.used() == {"team": 6}


def test_for_the_last_bytes_of_an_owner(race: Race) -> None:
    race.registry.user("alice")
    race.registry.begin(AWAY)
    for project in ("team", "away"):
        race.registry.own(project, "alice")
    race.registry.limit(10, of="alice", scope=Scope.USER)
    assert race.is_second_refused(put(race, APP, b"123456"), lambda: race.registry.push_blob(b"abcdef", AWAY))


def test_for_the_last_open_upload(race: Race) -> None:
    race.registry.limit(1, resource=Resource.UPLOADS)
    begin = race.registry.uploads.beginning(APP, race.registry.admin, "sha256")
    assert race.is_second_refused(begin, lambda: race.registry.begin(APP))


def test_for_the_last_tag(race: Race) -> None:
    race.registry.push_image(LAYER, tag=None)
    race.registry.limit(1, resource=Resource.TAGS)
    _, keep = race.registry.manifests.plan(APP, Tag("one"), image(LAYER), "", race.registry.admin)
    assert race.is_second_refused(keep, lambda: race.registry.push(image(LAYER), Tag("two")))


def test_for_the_last_repository(race: Race) -> None:
    race.registry.limit(2, resource=Resource.REPOSITORIES)
    begin = race.registry.uploads.beginning(OTHER, race.registry.admin, "sha256")
    assert race.is_second_refused(begin, lambda: race.registry.begin(RepositoryName("team/third")))


def test_who_changes_an_owner_and_who_charges_that_owner_do_not_lock_each_other_out(race: Race) -> None:
    race.registry.user("alice")
    race.registry.limit(10)
    metadata, tries = race.registry.metadata, list[str]()

    def tried(who: str, work: Callable[[Any], object], tx: Any) -> object:
        tries.append(who)
        return work(tx)

    counted: Any = SimpleNamespace(transact=lambda work: metadata.transact(partial(tried, "own", work)))

    def charge(tx: Any) -> None:
        # The project, and later who owns it, as one who is limited is held.
        tx.quotas.room(tx.repositories.get_or_create(APP), 1)
        later = pool.submit(QuotaService(counted).own, "team", "alice", race.registry.admin)
        eventually("it waits", lambda: later.done() or ask(race.url, WAITING) == [(1,)])
        tx.people.find("alice")

    with ThreadPoolExecutor(1) as pool:
        metadata.transact(partial(tried, "charge", charge))
    assert tries == ["charge", "own"]


def test_what_does_not_grow_waits_for_nobody(race: Race) -> None:
    digest = race.registry.push_blob(LAYER)
    race.registry.limit(10)
    assert not race.is_second_refused(
        put(race, APP, b"123"), lambda: race.registry.blobs.mount(APP, digest, APP, race.registry.admin)
    )
