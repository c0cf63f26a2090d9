"""A full disk: an upload is refused in words, what it took is given back, and nothing that was there is touched."""

import contextlib
import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.images import OCI_MANIFEST, random_bytes, tiny_image
from tests.support.layout import write_layout
from tests.support.server import RunningServer
from tests.system.command import Command
from tests.system.conversation import Address, Answer, Upload, address_of, ask, get_blob, push_blob, sha256
from tests.system.deployments import elsewhere
from tests.system.require import require, require_root
from tests.system.waiting import eventually

MEBIBYTE = 1 << 20
NAME = "faults/full"
# Facts and their journal grow a little with everything that happens, also with a refused upload.
SLACK = 2 * MEBIBYTE


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB."""
    require_root("a disk of 64 MiB")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)), capture_output=True, check=False
    )
    require(mounted.returncode == 0, f"a tmpfs cannot be mounted: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(("umount", "--lazy", str(folder)), check=True)


@pytest.fixture
def crowded(disk: Path, tmp_path: Path) -> Iterator[RunningServer]:
    """A server whose data are on that disk, and whose log is not."""
    server = _server(disk)
    server.log = tmp_path / "log"
    with server:
        yield server


def test_a_stream_that_fills_the_disk_is_refused_and_its_space_given_back(crowded: RunningServer) -> None:
    address, kept = address_of(crowded), random_bytes("kept", 8 * MEBIBYTE)
    digest = push_blob(address, NAME, kept)
    before = _free(crowded)
    _refused(Upload.begin(address, NAME).stream(itertools.repeat(random_bytes("much", MEBIBYTE), 100)))
    eventually("the space is free again", lambda: _free(crowded) >= before - SLACK)
    assert get_blob(address, NAME, digest).expect(200).body == kept
    _small_push_works(address)


def test_a_blob_of_known_length_that_cannot_fit_is_refused(crowded: RunningServer) -> None:
    address, before = address_of(crowded), _free(crowded)
    data = random_bytes("much", 80 * MEBIBYTE)
    _refused(Upload.begin(address, NAME).close(sha256(data), data))
    eventually("the space is free again", lambda: _free(crowded) >= before - SLACK)
    _small_push_works(address)


def test_uploads_that_fill_the_disk_together_all_give_back_what_they_took(crowded: RunningServer) -> None:
    """Each of them fits, all of them do not: the ones refused must not hold what the others need."""
    address, data = address_of(crowded), random_bytes("each", 24 * MEBIBYTE)
    before = _free(crowded)
    answers = [_begun_and_patched(address, data) for _ in range(4)]
    assert {answer.status for answer in answers} == {202, 413}
    for answer in answers:
        if answer.status == 202:
            ask(address, "DELETE", answer.headers["location"]).expect(204)
    eventually("the space is free again", lambda: _free(crowded) >= before - SLACK)
    push_blob(address, NAME, data)


@elsewhere
def test_skopeo_is_told_that_the_disk_is_full(skopeo: Command, crowded: RunningServer, tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "in", {"1": tiny_image(NAME, layer_size=80 * MEBIBYTE)})
    target = f"docker://{crowded.host}/{NAME}:1"
    assert "no space left" in skopeo.refused("copy", "--dest-tls-verify=false", f"oci:{layout}:1", target).text
    _small_push_works(address_of(crowded))


def test_reads_go_on_while_the_disk_is_full_and_writes_are_refused_in_words(crowded: RunningServer) -> None:
    address, image = address_of(crowded), tiny_image(NAME, layer_size=100_000)
    for blob in image.blobs:
        push_blob(address, NAME, blob.data)
    assert _put_manifest(address, "1", image.manifest).status == 201
    later = tiny_image(NAME, layer_size=100_000, annotations={"long": "x" * 3_000_000})
    with _nothing_left(crowded):
        _refused(_put_manifest(address, "2", later.manifest))
        found = ask(address, "GET", f"/v2/{NAME}/manifests/1", {"Accept": image.media_type}).expect(200)
        assert found.body == image.manifest
        for blob in image.blobs:
            assert get_blob(address, NAME, blob.digest).expect(200).body == blob.data
        ask(address, "GET", f"/v2/{NAME}/manifests/2", {"Accept": later.media_type}).expect(404)
    assert _put_manifest(address, "2", later.manifest).status == 201
    _small_push_works(address)


def test_nothing_is_lost_when_a_full_server_is_killed(crowded: RunningServer) -> None:
    address, kept = address_of(crowded), random_bytes("kept", 8 * MEBIBYTE)
    digest = push_blob(address, NAME, kept)
    before = _free(crowded)
    with _nothing_left(crowded):
        _refused(_begun_and_patched(address, random_bytes("more", MEBIBYTE)))
        crowded.kill()
    crowded.start()
    assert get_blob(address, NAME, digest).expect(200).body == kept
    eventually("the space is free again", lambda: _free(crowded) >= before - SLACK)
    _small_push_works(address)


def test_a_log_that_cannot_be_written_stops_no_reader(disk: Path) -> None:
    """On a small host the log lies on the very disk that is full."""
    with _server(disk) as server:
        digest = push_blob(address_of(server), NAME, random_bytes("kept", MEBIBYTE))
        with _nothing_left(server):
            for _ in range(20):
                get_blob(address_of(server), NAME, digest).expect(200)
        get_blob(address_of(server), NAME, digest).expect(200)
        _small_push_works(address_of(server))


def _server(disk: Path) -> RunningServer:
    settings: dict[str, str | bool] = {"open": True, "delete_delay": "1s", "sweep_interval": "200ms"}
    return RunningServer(disk / "data", settings, workers=2)


def _free(server: RunningServer) -> int:
    disk = os.statvfs(server.data)
    return disk.f_bavail * disk.f_frsize


@contextlib.contextmanager
def _nothing_left(server: RunningServer) -> Iterator[None]:
    """While somebody else's file takes the last byte."""
    filler = server.data.parent / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(65_536)):
            pass
    assert _free(server) == 0
    try:
        yield
    finally:
        filler.unlink()


def _refused(answer: Answer) -> None:
    """By the one status that means a full disk, and a code that keeps docker from sending the layer five times."""
    assert answer.expect(413).error_codes == ["DENIED"]


def _begun_and_patched(address: Address, data: bytes) -> Answer:
    """The answer to the POST, when that is refused already, or to the PATCH."""
    begun = ask(address, "POST", f"/v2/{NAME}/blobs/uploads/")
    return Upload(address, begun.headers["location"]).patch(data) if begun.status == 202 else begun


def _small_push_works(address: Address) -> None:
    data = random_bytes("small", MEBIBYTE)
    assert get_blob(address, NAME, push_blob(address, NAME, data)).body == data


def _put_manifest(address: Address, tag: str, manifest: bytes) -> Answer:
    return ask(address, "PUT", f"/v2/{NAME}/manifests/{tag}", {"Content-Type": OCI_MANIFEST}, manifest)
