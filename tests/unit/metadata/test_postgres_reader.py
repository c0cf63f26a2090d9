"""The pull path on PostgreSQL: the same answers as the other reader's, on a loop, over lost connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from registry.api.eager import Begun, begin
from registry.core.facts import Caller, Repository
from registry.core.ports import Metadata, Reader, Recognition, Transaction
from registry.metadata.postgres import PostgresMetadata
from registry.metadata.postgres_reader import PostgresReader
from registry.metadata.reader import SqliteReader
from registry.oci.digest import Digest
from registry.oci.errors import Unavailable
from registry.oci.manifest import parse_manifest
from registry.oci.media_types import OCI_MANIFEST
from registry.oci.names import RepositoryName, Tag
from tests.support.postgres import PostgresServer, ask, postgres_server
from tests.unit.metadata.databases import new_database, opened, quick_folder

APP, EMPTY, UNKNOWN = (RepositoryName(each) for each in ("team/app", "team/empty", "team/unknown"))
SUBJECT, BLOB = Digest.of(b"subject"), Digest.of(b"blob")
HOUR = timedelta(hours=1)
CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname = current_database()
"""


@pytest.fixture
def server() -> PostgresServer:
    return postgres_server(apart=True)


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    with server.database() as url:
        yield url


@asynccontextmanager
async def reading(url: str, **settings: Any) -> AsyncIterator[PostgresReader]:
    reader = PostgresReader(url, **settings)
    try:
        yield reader
    finally:
        await reader.close()


def fill(metadata: Metadata) -> None:
    """Some of everything that a reader is asked for."""
    alice = metadata.transact(lambda tx: tx.accounts.add("alice", "user", is_admin=True))
    metadata.transact(lambda tx: tx.accounts.add_password(alice, "hash"))
    app = metadata.transact(lambda tx: tx.repositories.get_or_create(APP))
    metadata.transact(lambda tx: tx.repositories.get_or_create(EMPTY))
    metadata.transact(lambda tx: tx.blobs.put_content(BLOB, b"blob"))
    metadata.transact(lambda tx: tx.links.put(app, BLOB, HOUR))
    for number in range(5):
        content = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": f"a/{number % 2}",
                "annotations": {"n": f"{number} é"},
                "config": {"mediaType": "a/b", "digest": str(BLOB), "size": 4},
                "layers": [],
                "subject": {"mediaType": OCI_MANIFEST, "digest": str(SUBJECT), "size": 7},
            }
        ).encode()
        metadata.transact(partial(push, app, alice, content, Tag(f"v{number}")))


def push(app: Repository, by: Caller, content: bytes, tag: Tag, tx: Transaction) -> None:
    digest = Digest.of(content)
    tx.manifests.put(app, digest, content, parse_manifest(content, OCI_MANIFEST), by)
    tx.tags.set(app, tag, digest, by)


async def everything(reader: Any) -> list[Any]:
    """What a reader says to every question, instants left out: they are each database's own."""
    said: list[Any] = [await reader.knows(APP), await reader.knows(UNKNOWN)]
    for reference in (Tag("v1"), Tag("none"), Digest.of(b"none")):
        said += [await reader.manifest(APP, reference), await reader.manifest_facts(APP, reference)]
    digest = (await reader.manifest(APP, Tag("v3"))).digest
    said += [await reader.manifest(APP, digest), await reader.manifest_facts(APP, digest)]
    found = await reader.blob(APP, BLOB)
    said += [(found.digest, found.size, found.key, found.content), await reader.blob(EMPTY, BLOB)]
    said += [await reader.tags(APP, "", 3), await reader.tags(APP, "v2", 9), await reader.catalog("", 9)]
    first, more = await reader.referrers(APP, SUBJECT, None, None, 2)
    said += [first, more, await reader.referrers(APP, SUBJECT, None, first[-1].digest, 9)]
    said += [await reader.referrers(APP, SUBJECT, "a/1", None, 9), await reader.referrers(APP, SUBJECT, "a/9", None, 9)]
    credential = await reader.password("alice")
    said += [credential, await reader.password("bob"), await reader.credential(credential.id)]
    return [*said, await reader.credential(0)]


@pytest.mark.parametrize("prepared_statements", [True, False])
def test_both_readers_say_the_same(url: str, prepared_statements: bool) -> None:
    async def on_postgresql() -> list[Any]:
        async with reading(url, prepared_statements=prepared_statements) as reader:
            return await everything(reader)

    metadata = PostgresMetadata(url)
    fill(metadata)
    metadata.close()
    with quick_folder() as folder, opened(new_database(folder)) as other:
        fill(other)
        connection = other.reader()
        expected = asyncio.run(everything(SqliteReader(connection.run, connection.version)))
    assert asyncio.run(on_postgresql()) == expected


def test_what_no_text_of_the_database_can_hold_is_found_nowhere(url: str) -> None:
    async def look() -> list[object]:
        async with reading(url) as reader:
            return [
                await reader.password("ali\0ce"),
                await reader.tags(APP, "\ud800", 1),
                await reader.catalog("\0", 1),
            ]

    assert asyncio.run(look()) == [None, [], []]


def test_it_is_what_the_ports_ask_for(url: str) -> None:
    both = PostgresReader(url)
    reader: Reader = both
    recognition: Recognition = both
    assert reader.version() is None
    assert callable(recognition.password)


def test_what_is_committed_is_read_at_once(url: str) -> None:
    metadata = PostgresMetadata(url)

    async def look() -> list[bool]:
        async with reading(url) as reader:
            before = await reader.knows(APP)
            metadata.transact(lambda tx: tx.repositories.get_or_create(APP))
            return [before, await reader.knows(APP)]

    assert asyncio.run(look()) == [False, True]
    metadata.close()


def test_each_loop_has_its_own_connections(url: str) -> None:
    reader = PostgresReader(url)

    async def look() -> bool:
        known = await reader.knows(APP)
        await reader.close()
        return known

    assert [asyncio.run(look()) for _ in range(2)] == [False, False]


def test_a_lookup_that_was_begun_without_a_task_is_carried_on_in_one(url: str) -> None:
    async def look() -> bool:
        async with reading(url) as reader:
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[bool] = loop.create_future()

            async def carry_on(begun: Begun[bool]) -> None:
                answer.set_result(await begun)

            def without_a_task() -> None:
                begun = begin(reader.knows(APP))
                assert isinstance(begun, Begun)
                tasks.append(loop.create_task(carry_on(begun)))

            tasks: list[asyncio.Task[None]] = []
            loop.call_soon(without_a_task)
            return await answer

    assert asyncio.run(look()) is False


def test_lookups_at_once_share_no_more_connections_than_there_may_be(url: str) -> None:
    async def look() -> int:
        async with reading(url, pool_size=3) as reader:
            await asyncio.gather(*[reader.knows(APP) for _ in range(50)])
            count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'entrepot'"
            return int(ask(url, f"{count} AND datname = current_database()")[0][0])

    assert 1 <= asyncio.run(look()) <= 3


def test_a_connection_that_is_cut_costs_a_lookup_nothing(url: str) -> None:
    async def look() -> None:
        async with reading(url, pool_size=4) as reader:
            for _ in range(5):
                await asyncio.gather(*[reader.knows(APP) for _ in range(8)])
                assert ask(url, CUT)[0][0] >= 1

    asyncio.run(look())


def test_a_server_that_is_gone_is_told_as_unavailable_and_found_again(server: PostgresServer, url: str) -> None:
    async def look() -> None:
        async with reading(url, patience=0.3) as reader:
            assert not await reader.knows(APP)
            server.stop()
            try:
                with pytest.raises(Unavailable):
                    await reader.knows(APP)
            finally:
                server.start()
            assert not await reader.knows(APP)

    asyncio.run(look())


def test_a_url_for_the_other_driver_serves_this_one(url: str) -> None:
    async def look() -> bool:
        more = "&connect_timeout=3&keepalives_idle=5&application_name=ours"
        async with reading(url + more) as reader:
            await reader.open()
            return await reader.knows(APP)

    assert asyncio.run(look()) is False
