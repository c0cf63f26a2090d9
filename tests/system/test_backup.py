"""`entrepot backup` and `entrepot restore`: of a registry that serves, into another one, of another kind too."""

import json
import random
import re
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from tests.support.client import RegistryClient
from tests.support.images import tiny_image
from tests.support.postgres import postgres_server
from tests.support.replicas import store_settings
from tests.support.s3 import S3Server
from tests.support.server import RunningServer, Setting
from tests.system.backups import Place, check_whole, facts_of, used_and_owed
from tests.system.reading import Registry
from tests.system.waiting import eventually

NAME = "team/app"
LARGE = 300_000

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def places(tmp_path: Path, s3_server: S3Server) -> Iterator[list[Place]]:
    """A registry of each kind, none of them begun; they have the key file in common."""
    (tmp_path / "key").write_bytes(secrets.token_bytes(32))
    (tmp_path / "key").chmod(0o600)
    key: dict[str, Setting] = {"key_file": tmp_path / "key"}
    with ExitStack() as stack:

        def database() -> dict[str, Setting]:
            return {"database": stack.enter_context(postgres_server().database())}

        yield [
            Place(tmp_path / "files", key),
            Place(tmp_path / "postgresql-s3", key | database() | store_settings(s3_server)),
            Place(tmp_path / "s3", key | store_settings(s3_server)),
            Place(tmp_path / "postgresql", key | database()),
        ]


def pushed(server: RunningServer, *tags: str, name: str = NAME) -> dict[str, dict[str, bytes]]:
    """What a client finds under each tag, once an image of its own is pushed there."""
    with server.http() as http:
        for tag in tags:
            RegistryClient(http).push_image(name, tiny_image(f"{name}:{tag}", layers=2, layer_size=LARGE), tag)
    return served(server, name)


def served(server: RunningServer, name: str = NAME) -> dict[str, dict[str, bytes]]:
    registry = Registry(server.host)
    return {tag: registry.contents(name, tag) for tag in registry.tags(name)}


def test_a_registry_goes_from_each_kind_to_another_and_is_still_the_same(places: list[Place], tmp_path: Path) -> None:
    with places[0].server() as server:
        before = pushed(server, "1", "2", "3")
        with server.http() as http:
            client = RegistryClient(http)
            client.push_manifest(NAME, "1", tiny_image("moved").manifest)
            client.delete_manifest(NAME, "3")
            location = client.start_upload(NAME).headers["location"]
            client.patch(location, bytes(LARGE))
        before = served(server)
    home = Place(tmp_path / "home")
    backups = []
    for source, target in zip(places, [*places[1:], home], strict=True):
        folder = tmp_path / f"backup-of-{source.data.name}"
        out, _ = source.run("backup", folder)
        assert "nothing is broken" in out
        assert check_whole(folder) == 6
        out, _ = target.run("restore", folder)
        assert "6 copied" in out
        backups.append(facts_of(folder))
    first, last = backups[0], backups[-1]
    # Uploads end with the first restore, and the collector is paused by it.
    assert {table for table in first if first[table] != last[table]} <= {"lease", "object", "setting", "upload"}
    for place in [*places[1:], home]:
        with place.server() as server:
            assert served(server) == before


@pytest.mark.parametrize("kind", ["files", "postgresql-s3"])
def test_a_backup_of_a_registry_in_full_swing_is_one_instant_of_it(
    places: list[Place], kind: str, tmp_path: Path
) -> None:
    (busy,) = [place for place in places if place.data.name == kind]
    quiet = Place(tmp_path / "quiet")
    stop = threading.Event()
    troubles: list[BaseException] = []

    def swing(number: int, server: RunningServer) -> None:
        """Push, move and delete tags and blobs, for as long as backups are made."""
        chance = random.Random(number)  # noqa: S311  no secret
        try:
            with server.http() as http:
                client, turn = RegistryClient(http), 0
                while not stop.is_set():
                    turn += 1
                    image = tiny_image(f"{number}/{turn}", layers=2, layer_size=LARGE)
                    client.push_image(NAME, image, f"tag-{number}-{chance.randrange(5)}")
                    if turn % 3 == 0:
                        client.delete_manifest(NAME, image.digest)
                        for blob in image.blobs:
                            client.delete_blob(NAME, blob.digest)
                            # The object of before is doomed, and due at once.
                            client.push_blob(NAME, blob)
        except BaseException as error:
            troubles.append(error)

    # What nobody names goes as quickly as it can.
    with busy.server(delete_delay="0s", sweep_interval="100ms") as server:
        pushed(server, "early")
        threads = [threading.Thread(target=swing, args=(number, server)) for number in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                out, _ = busy.run("backup", tmp_path / "backup", "--json")
                assert json.loads(out)["broken"] == []
                check_whole(tmp_path / "backup")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert not troubles
    quiet.run("restore", tmp_path / "backup")
    used, owed = used_and_owed(quiet.data / "registry.db")
    assert used == owed
    with closing(sqlite3.connect(quiet.data / "registry.db")) as connection:
        wanted = {name: digest[1:].hex() for name, digest in connection.execute(
            "SELECT tag.name, digest FROM tag JOIN manifest ON manifest_id = manifest.id"
        )}  # fmt: skip
    assert len(wanted) > 1
    with quiet.server() as server:
        found = served(server)
        assert {tag: Registry(server.host).digest(NAME, tag) for tag in found} == {
            tag: f"sha256:{digest}" for tag, digest in wanted.items()
        }


def test_where_only_the_database_is_lost_the_daily_copy_brings_it_back(tmp_path: Path) -> None:
    place = Place(tmp_path / "data")
    with place.server() as server:
        before = pushed(server, "1", "2")
    with place.server(sweep_interval="100ms") as server:
        eventually("the copy of today is there", lambda: list((place.data / "backups").glob("registry-*.db")))
        # Not in the copy, but its objects are where they were.
        pushed(server, "late")
    (copy,) = (place.data / "backups").glob("registry-*.db")
    for file in place.data.glob("registry.db*"):
        file.unlink()
    objects = set(place.data.glob("blobs/*/*"))
    _, err = place.run("restore", copy, status=2)
    assert "give --database-only" in err
    place.run("restore", copy, "--database-only")
    with place.server(delete_delay="0s", sweep_interval="100ms") as server:
        assert served(server) == before
        pushed(server, "after")
        eventually("a sweep has been and gone", lambda: _has_swept(place))
    assert objects <= set(place.data.glob("blobs/*/*"))


def test_what_cannot_be_done_is_told_in_a_line(tmp_path: Path, places: list[Place]) -> None:
    files, postgresql_s3, s3, _ = places
    folder = tmp_path / "backup"
    for place, words in [
        (Place(tmp_path / "absent"), "there is no registry"),
        (Place(tmp_path / "absent", postgresql_s3.settings), "never started"),
    ]:
        assert words in place.run("backup", folder, status=1)[1]
    for place in (files, s3):
        with place.server() as server:
            pushed(server, "1")
        place.run("backup", tmp_path / f"backup-of-{place.data.name}")
    source = tmp_path / "backup-of-files"
    refused = [
        (files, "backup", tmp_path / "backup-of-s3", "holds a backup of instance"),
        (files, "backup", files.data, "no part of a backup"),
        (files, "restore", source, "the database is not empty"),
        (Place(tmp_path / "other", s3.settings), "restore", source, "belongs to instance"),
        (Place(tmp_path / "other"), "restore", files.data, "holds no backup.json"),
        (Place(tmp_path / "other"), "restore", files.data / "layout.json", "--database-only"),
    ]
    for place, verb, path, words in refused:
        status = 2 if words.startswith("--") else 1
        out, err = place.run(verb, path, status=status)
        assert (words in err, err.count("\n"), out) == (True, 1, ""), err


def test_the_bucket_of_a_registry_whose_database_is_lost_is_kept(
    places: list[Place], s3_server: S3Server, tmp_path: Path
) -> None:
    lost, found = places[2], Place(tmp_path / "found", places[2].settings)
    with lost.server() as server:
        before = pushed(server, "1")
    lost.run("backup", tmp_path / "backup")
    # One of its two objects is not what it was.
    damaged = min((tmp_path / "backup").glob("blobs/*/*")).relative_to(tmp_path / "backup")
    where = {"Bucket": lost.settings["s3_bucket"], "Key": f"{lost.settings['s3_prefix']}{damaged}"}
    s3_server.client().put_object(**where, Body=b"short")
    out, _ = found.run("restore", tmp_path / "backup")
    assert re.search(r"^objects: 1 copied .*, 1 already there", out, re.MULTILINE), out
    with found.server() as server:
        assert served(server) == before


def test_a_damaged_object_ends_with_3_and_is_not_served_afterwards(tmp_path: Path) -> None:
    source, target = Place(tmp_path / "source"), Place(tmp_path / "target")
    with source.server() as server:
        before = pushed(server, "1")
    damaged = min(source.data.glob("blobs/*/*"))
    content = bytearray(damaged.read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    out, _ = source.run("backup", tmp_path / "backup", status=3)
    assert f"blobs/{damaged.parent.name}/{damaged.name}: its bytes are sha256:" in out
    assert "broken: 1" in out
    out, _ = target.run("restore", tmp_path / "backup", status=3)
    assert "it is not in the backup" in out
    with target.server() as server, server.http() as http:
        client = RegistryClient(http)
        image = tiny_image(f"{NAME}:1", layers=2, layer_size=LARGE)
        answers = {blob.digest: client.blob(NAME, blob.digest, "HEAD").status_code for blob in image.blobs}
        assert sorted(answers.values()) == [httpx.codes.OK] * (len(answers) - 1) + [httpx.codes.NOT_FOUND]
        # And so the next push heals it.
        client.push_image(NAME, image, "1")
        assert served(server) == before


def _has_swept(place: Place) -> bool:
    with closing(sqlite3.connect(place.data / "registry.db")) as connection:
        return bool(connection.execute("SELECT 1 FROM lease WHERE name = 'sweep' AND fence > 1").fetchall())
