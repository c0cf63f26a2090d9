"""A store that fails, seen by clients: a 503 that says when to come again, or nothing at all; and no byte too few.

The store is a real one behind a proxy that spoils what passes (tests/support/s3_faults.py).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.client import RegistryClient
from tests.support.images import Blob, TinyImage, tiny_image
from tests.support.replicas import replicas
from tests.support.s3 import S3Server, s3_server
from tests.support.s3_faults import Fault, FaultyProxy
from tests.support.server import RunningServer, Setting
from tests.system.processes import processes_of
from tests.system.waiting import eventually

__all__ = ["s3_server"]

PART = 5 << 20
READERS = 64
THROUGH = {"User-Agent": "a client that cannot be redirected"}
ON_THE_WAY_UP = ("CreateMultipartUpload", "UploadPart", "PutObject", "ListParts", "CompleteMultipartUpload")


@dataclass(frozen=True)
class Scene:
    """A server, the store that it has, and what stands between."""

    proxy: FaultyProxy
    server: RunningServer
    client: RegistryClient
    s3: S3Server

    def uploads_and_keys(self) -> tuple[list[str], list[str]]:
        """The multipart uploads under way and the objects, but for the layout, as the store itself lists them."""
        client, place = self.s3.client(), {"Bucket": "registry", "Prefix": self.server.settings["s3_prefix"]}
        uploads = client.list_multipart_uploads(**place).get("Uploads", ())
        keys = [each["Key"] for each in client.list_objects_v2(**place).get("Contents", ())]
        return [each["Key"] for each in uploads], [key for key in keys if not key.endswith("layout.json")]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[Scene]:
    with FaultyProxy(s3_server) as proxy:
        settings: dict[str, Setting] = {
            "open": True,
            "s3_endpoint": proxy.url,
            "s3_redirect_except": "cannot",
            "delete_delay": "0s",
            "sweep_interval": "200ms",
        }
        with (
            replicas(tmp_path_factory.mktemp("faults"), s3_server, settings, count=1) as (server,),
            server.http(timeout=90) as http,
        ):
            yield Scene(proxy, server, RegistryClient(http), s3_server)


@pytest.fixture
def scene(shared: Scene) -> Iterator[Scene]:
    yield shared
    shared.proxy.heal()


def blob_of(size: int, seed: str) -> Blob:
    return Blob(random.Random(seed).randbytes(size))  # noqa: S311 - any bytes will do


def assert_comes_again(answer: httpx.Response) -> None:
    """The refusal of one who will be able to, later (distribution-spec, Error Codes)."""
    assert answer.status_code == 503, (answer.request.method, answer.status_code, answer.text)
    assert int(answer.headers["retry-after"]) > 0
    if answer.request.method != "HEAD":
        (error,) = json.loads(answer.content)["errors"]
        assert error["code"] == "UNAVAILABLE"
        assert error["message"]
        assert "detail" in error


def assert_whole(scene: Scene, repository: str, blob: Blob) -> None:
    """Passed through, and by redirect."""
    through = scene.client.blob(repository, blob.digest, headers=THROUGH)
    assert (through.status_code, through.content) == (200, blob.data)
    elsewhere = scene.client.blob(repository, blob.digest)
    assert elsewhere.status_code == 307
    assert httpx.get(elsewhere.headers["location"], trust_env=False).content == blob.data


# What fails once


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.INTERNAL_ERROR, Fault.CUT_REQUEST, Fault.LOSE_ANSWER])
def test_a_client_does_not_notice_what_fails_once(scene: Scene, repository: str, fault: Fault) -> None:
    for operation in ON_THE_WAY_UP:
        scene.proxy.fail(operation, fault)
    scene.proxy.fail("GetObject", fault)
    blob = blob_of(PART + 2_000, repository)
    location = scene.client.start_upload(repository).headers["location"]
    assert scene.client.patch(location, blob.data[: PART + 1_000], at=0).status_code == 202
    assert scene.client.patch(location, [blob.data[PART + 1_000 :]]).status_code == 202
    assert scene.client.close_upload(location, blob.digest).status_code == 201
    single = blob_of(100_000, f"{repository} at once")
    scene.proxy.fail("PutObject", fault)
    assert scene.client.push_at_once(repository, single.digest, single.data).status_code == 201
    for each in (blob, single):
        assert_whole(scene, repository, each)


def test_a_connection_cut_in_a_pull_is_taken_up_where_it_ended(scene: Scene, repository: str) -> None:
    blob = blob_of(PART, repository)
    scene.client.push_blob(repository, blob)
    scene.proxy.fail("GetObject", Fault.CUT_ANSWER, times=3)
    assert scene.client.blob(repository, blob.digest, headers=THROUGH).content == blob.data


def test_clients_that_leave_in_a_pull_leave_their_places_and_connections(scene: Scene, repository: str) -> None:
    """Twice as many as may read at once."""
    blob = blob_of(4 * PART, repository)
    scene.client.push_blob(repository, blob)
    assert_whole(scene, repository, blob)
    before = descriptors_of(scene.server)
    for _ in range(2 * READERS):
        with scene.server.http() as http, http.stream("GET", f"/v2/{repository}/blobs/{blob.digest}", headers=THROUGH):
            # It goes with the head, when nothing or little of the body has come.
            pass
    assert scene.client.blob(repository, blob.digest, headers=THROUGH).content == blob.data
    eventually("their descriptors are closed", lambda: descriptors_of(scene.server) <= before)


def descriptors_of(server: RunningServer) -> int:
    return sum(len(list(Path(f"/proc/{process.pid}/fd").iterdir())) for process in processes_of(server))


# What goes on failing


@dataclass
class Begun:
    """What a client has of a registry when its store begins to fail; all of it was acknowledged."""

    scene: Scene
    repository: str

    def __post_init__(self) -> None:
        client = self.scene.client
        self.kept = blob_of(200_000, f"{self.repository} kept")
        self.doomed = blob_of(200_000, f"{self.repository} doomed")
        self.large = blob_of(2 * PART + 1_000, f"{self.repository} large")
        self.other = blob_of(PART + 1_000, f"{self.repository} other")
        self.single = blob_of(100_000, f"{self.repository} single")
        self.image: TinyImage = tiny_image(self.repository)
        client.push_image(self.repository, self.image, "before")
        for blob in (self.kept, self.doomed):
            client.push_blob(self.repository, blob)
        self.to_go_on = client.start_upload(self.repository).headers["location"]
        client.patch(self.to_go_on, self.large.data[:PART], at=0).raise_for_status()
        self.to_close = client.start_upload(self.repository).headers["location"]
        client.patch(self.to_close, self.other.data, at=0).raise_for_status()

    def what_needs_the_store(self) -> dict[str, Callable[[], httpx.Response]]:
        client, name = self.scene.client, self.repository
        rest = self.large.data[PART:]
        return {
            "a chunk": lambda: client.patch(self.to_go_on, rest, at=PART),
            "the end of an upload": lambda: client.close_upload(self.to_close, self.other.digest),
            "a blob at once": lambda: client.push_at_once(name, self.single.digest, self.single.data),
            "a pull passed through": lambda: client.blob(name, self.kept.digest, headers=THROUGH),
        }

    def assert_the_rest_is_served(self) -> None:
        """What SQL knows, it answers; and nothing is there by halves."""
        client, name = self.scene.client, self.repository
        assert client.manifest(name, "before").content == self.image.manifest
        assert client.manifest(name, "before", "HEAD").status_code == 200
        assert client.tag(name, "meanwhile", self.image).status_code == 201
        assert client.blob(name, self.kept.digest, "HEAD").headers["content-length"] == str(len(self.kept.data))
        assert client.blob(name, self.kept.digest).status_code == 307
        assert client.delete_blob(name, self.doomed.digest).status_code == 202
        for blob in (self.doomed, self.large, self.other, self.single):
            assert client.blob(name, blob.digest, "HEAD").status_code == 404
            assert client.blob(name, blob.digest, headers=THROUGH).status_code == 404

    def go_on(self) -> None:
        """Where the registry says, now that the store is well."""
        client, name = self.scene.client, self.repository
        offset = int(client.upload_status(self.to_go_on).headers["range"].partition("-")[2]) + 1
        assert offset == PART
        assert client.patch(self.to_go_on, self.large.data[offset:], at=offset).status_code == 202
        assert client.close_upload(self.to_go_on, self.large.digest).status_code == 201
        assert client.close_upload(self.to_close, self.other.digest).status_code == 201
        client.push_blob(name, self.single)
        for blob in (self.kept, self.large, self.other, self.single):
            assert_whole(self.scene, name, blob)
        assert client.manifest(name, "meanwhile").content == self.image.manifest
        assert client.blob(name, self.doomed.digest, "HEAD").status_code == 404


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.CUT_REQUEST, Fault.NO_SUCH_BUCKET])
def test_while_the_store_fails_clients_are_told_to_come_again_and_lose_nothing(
    scene: Scene, repository: str, fault: Fault
) -> None:
    begun = Begun(scene, repository)
    scene.proxy.fail_everything(fault)
    with ThreadPoolExecutor() as threads:
        asked = {what: threads.submit(ask) for what, ask in begun.what_needs_the_store().items()}
        begun.assert_the_rest_is_served()
        for answer in asked.values():
            assert_comes_again(answer.result())
    scene.proxy.heal()
    begun.go_on()


def test_a_pull_whose_store_goes_away_never_looks_complete(scene: Scene, repository: str) -> None:
    blob = blob_of(PART, repository)
    scene.client.push_blob(repository, blob)
    scene.proxy.fail("GetObject", Fault.CUT_ANSWER)
    scene.proxy.fail("GetObject", Fault.NO_SUCH_BUCKET)
    with pytest.raises(httpx.RemoteProtocolError):
        scene.client.blob(repository, blob.digest, headers=THROUGH)
    assert_whole(scene, repository, blob)


def test_a_redirected_pull_that_is_cut_never_looks_complete(scene: Scene, repository: str) -> None:
    blob = blob_of(PART, repository)
    scene.client.push_blob(repository, blob)
    scene.proxy.fail("GetObject", Fault.CUT_ANSWER)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(scene.client.blob(repository, blob.digest).headers["location"], trust_env=False)
    assert_whole(scene, repository, blob)


def test_a_proxys_own_404_does_not_pass_for_a_lost_blob(scene: Scene, repository: str) -> None:
    """Of an object that the store does not have it says so; whoever else stands in between knows nothing of objects."""
    blob = blob_of(PART, repository)
    scene.client.push_blob(repository, blob)
    scene.proxy.fail("GetObject", Fault.NOT_FOUND)
    assert_comes_again(scene.client.blob(repository, blob.digest, headers=THROUGH))
    assert_whole(scene, repository, blob)


# A store that lies


def test_a_part_with_another_entity_tag_is_never_part_of_a_blob(scene: Scene, repository: str) -> None:
    blob = blob_of(2 * PART, repository)
    scene.proxy.fail("UploadPart", Fault.LIE_ABOUT_ETAG)
    assert_comes_again(scene.client.push_at_once(repository, blob.digest, blob.data))
    assert scene.client.blob(repository, blob.digest, "HEAD").status_code == 404
    assert scene.client.push_at_once(repository, blob.digest, blob.data).status_code == 201
    assert_whole(scene, repository, blob)


def test_a_session_with_such_a_part_is_over_and_the_next_one_is_as_good_as_any(scene: Scene, repository: str) -> None:
    blob = blob_of(PART + 1_000, repository)
    scene.proxy.fail("UploadPart", Fault.LIE_ABOUT_ETAG)
    location = scene.client.start_upload(repository).headers["location"]
    scene.client.patch(location, blob.data, at=0).raise_for_status()
    answer = scene.client.close_upload(location, blob.digest)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert scene.client.blob(repository, blob.digest, "HEAD").status_code == 404
    assert scene.client.push_at_once(repository, blob.digest, blob.data).status_code == 201
    assert_whole(scene, repository, blob)


# Sweeping


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.LOSE_ANSWER, Fault.NO_SUCH_BUCKET])
def test_what_was_given_up_leaves_the_store_however_often_that_fails(
    scene: Scene, repository: str, fault: Fault
) -> None:
    for operation in ("ListMultipartUploads", "AbortMultipartUpload", "ListObjectsV2", "DeleteObjects"):
        scene.proxy.fail(operation, fault)
    location = scene.client.start_upload(repository).headers["location"]
    sent = blob_of(PART + 1_000, repository).data
    scene.client.patch(location, sent[:-1], at=0).raise_for_status()
    scene.client.patch(location, sent[-1:], at=len(sent) - 1).raise_for_status()
    uploads, keys = scene.uploads_and_keys()
    assert uploads
    scene.client.cancel_upload(location).raise_for_status()
    eventually("its parts and its tails are gone", lambda: _is_swept(scene, uploads, keys))


def _is_swept(scene: Scene, uploads: list[str], keys: list[str]) -> bool:
    uploads_now, keys_now = scene.uploads_and_keys()
    return not set(uploads).intersection(uploads_now) and not [key for key in keys_now if "/uploads/" in key]
