"""`entrepot import --from-registry`: Debian's docker-registry and our own, filled by real pushes, pulled from us."""

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.client import RegistryClient
from tests.support.docker_registry import DockerRegistry, docker_registry
from tests.support.images import DOCKER, Pushable, TinyImage, artifact, digest_of, index, tiny_image
from tests.support.killed_import import killed_after
from tests.support.layout import contents, write_layout
from tests.support.login import BearerLogin
from tests.support.replicas import store_settings
from tests.support.server import PROJECT, RunningServer, Setting
from tests.support.skopeo import skopeo_in
from tests.support.tls import Certificate
from tests.system.command import Command, bare_environment
from tests.system.reading import Registry
from tests.system.require import require_programs
from tests.system.waiting import eventually

WHO = ("reader", "a secret: of two words")
LARGE = 200_000
SWEEPING: dict[str, Setting] = {"open": True, "delete_delay": "0s", "sweep_interval": "100ms"}

pytestmark = pytest.mark.timeout(300)


def importing(source: str, data: Path, *options: str, password: str = "") -> Command:
    argv = (sys.executable, "-m", "registry", "import", "--from-registry", source, "--data", str(data), *options)
    return Command(argv, {"PYTHONPATH": str(PROJECT), "ENTREPOT_SOURCE_PASSWORD": password})


@pytest.fixture(params=["open", "htpasswd over TLS"])
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DockerRegistry]:
    require_programs("docker-registry")
    is_open = request.param == "open"
    tls = None if is_open else Certificate.make(tmp_path / "tls")
    with docker_registry(tmp_path / "old", tls=tls, user=None if is_open else WHO) as peer:
        yield peer


def kept(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_image_of_a_docker_registry_then_pulls_byte_for_byte(peer: DockerRegistry, tmp_path: Path) -> None:
    both = index(*(tiny_image(f"http/{each}", layer_size=LARGE, architecture=each) for each in ("amd64", "arm64")))
    docker = tiny_image("docker", layers=3, layer_size=LARGE, style=DOCKER)
    shared = tiny_image("shared", layers=2, layer_size=LARGE)
    signature = artifact(subject=both)
    layout = write_layout(tmp_path / "layout", {"1": both})
    skopeo_in(tmp_path / "skopeo")(
        "copy",
        "--all",
        "--preserve-digests",
        "--dest-tls-verify=false",
        *(["--dest-creds", ":".join(WHO)] if peer.user else []),
        f"oci:{layout}:1",
        f"docker://{peer.host}/team/multi:1",
    )
    with peer.http() as http:
        client = RegistryClient(http)
        client.push_image("team/deep/docker", docker, "2")
        for name in ("app", "team/app"):
            client.push_image(name, shared, "1", "latest")
        # As clients attach something where there is no referrers API (distribution-spec, Referrers Tag Schema).
        client.push_image("team/multi", signature)
        client.push_image("team/multi", index(signature), both.digest.replace(":", "-"))
    before = kept(peer.data)
    options = ("--username", WHO[0], "--ca", str(peer.tls.authority)) if peer.tls else ()
    report = json.loads(importing(peer.url, tmp_path / "data", "--json", *options, password=WHO[1])().output)
    assert report["broken"] == report["moved"] == []
    assert (report["repositories"], report["tags"]["set"]) == (4, 1 + 1 + 2 + 2 + 1)
    assert report["manifests"] == {"imported": 3 + 1 + 1 + 1 + 2, "present": 0}
    wanted: list[tuple[str, str, Pushable]] = [
        ("team/multi", "1", both),
        ("team/multi", signature.digest, signature),
        ("team/deep/docker", "2", docker),
        ("app", "latest", shared),
        ("team/app", "1", shared),
    ]
    with RunningServer(tmp_path / "data", {"open": True}) as server:
        registry = Registry(server.host)
        for name, reference, image in wanted:
            assert registry.contents(name, reference) == contents(image)
        with registry.http() as http:
            referrers = http.get(f"/v2/team/multi/referrers/{both.digest}").raise_for_status().json()["manifests"]
        assert [each["digest"] for each in referrers] == [signature.digest]
    assert kept(peer.data) == before


@pytest.mark.parametrize("kept_in", ["folder", "S3"])
def test_our_own_registry_is_copied_with_tokens_referrers_and_every_digest(
    request: pytest.FixtureRequest, tmp_path: Path, kept_in: str
) -> None:
    # A store redirects to itself, and takes a signed URL only where nothing else says who asks.
    store = store_settings(request.getfixturevalue("s3_server")) if kept_in == "S3" else {}
    wide = tiny_image("wide", layers=2, layer_size=LARGE, algorithm="sha512")
    inner = index(tiny_image("amd64", layer_size=LARGE), tiny_image("arm64", layer_size=LARGE))
    outer = index(inner, tiny_image("outer"))
    about = artifact("a/signature", subject=outer)
    about_a_child, about_that = artifact("a/sbom", subject=inner.children[0]), artifact("a/note", subject=about)
    referring = [about, about_a_child, about_that]
    with RunningServer(tmp_path / "theirs", store, workers=2) as theirs:
        with theirs.http(auth=BearerLogin(*theirs.admin)) as http:
            client = RegistryClient(http)
            client.push_image("team/wide", wide)
            # By digest with a tag, which then means that digest (distribution-spec, end-7b).
            client.push_manifest("team/wide", wide.digest, wide.manifest, wide.media_type, tags=["512"])
            client.push_image("team/multi", outer, "1", "latest")
            for each in referring:
                client.push_image("team/multi", each)
        refused = importing(theirs.url, tmp_path / "ours").run()
        assert (refused.code, refused.output) == (1, "")
        assert "it does not list its repositories" in refused.complaints
        copying = importing(theirs.url, tmp_path / "ours", "--json", "--username", "admin", password=theirs.admin[1])
        report = json.loads(copying().output)
        assert ('"status":307' in theirs.output()) is (kept_in == "S3")
    assert report["broken"] == []
    assert report["manifests"]["imported"] == 1 + 5 + 3
    with RunningServer(tmp_path / "ours", {"open": True}) as ours, ours.http() as http:
        client = RegistryClient(http)
        tagged: list[tuple[str, str, Pushable]] = [
            ("wide", "512", wide),
            ("multi", "1", outer),
            ("multi", "latest", outer),
        ]
        for name, tag, image in tagged:
            assert client.manifest(f"team/{name}", tag).headers["docker-content-digest"] == image.digest
            assert _served(client, f"team/{name}", image)
        assert all(_served(client, "team/multi", each) for each in referring)
        pairs: list[tuple[Pushable, TinyImage]] = [(outer, about), (about, about_that)]
        for subject, each in [*pairs, (inner.children[0], about_a_child)]:
            listed = http.get(f"/v2/team/multi/referrers/{subject.digest}").json()["manifests"]
            assert [(one["digest"], one["artifactType"]) for one in listed] == [
                (each.digest, each.document["artifactType"])
            ]


def test_a_copy_killed_in_the_middle_is_begun_again(tmp_path: Path) -> None:
    require_programs("docker-registry")
    images = {str(number): tiny_image(f"killed/{number}", layers=2, layer_size=6_000) for number in range(30)}
    data = tmp_path / "data"
    with docker_registry(tmp_path / "old") as peer:
        with peer.http() as http:
            for tag, image in images.items():
                RegistryClient(http).push_image("team/app", image, tag)
        run = importing(peer.url, data, "--threads", "2")
        environment = bare_environment(run.environment)
        first, second = (killed_after(run.prefix, environment, data, blobs) for blobs in (0, 20))
        assert 0 < first < second < len(images) * 3
        report = json.loads(run("--json").output)
    assert report["broken"] == []
    assert report["manifests"]["imported"] + report["manifests"]["present"] == len(images)
    assert report["blobs"]["present"] >= second
    assert report["blobs"]["copied"] > 0
    with closing(sqlite3.connect(data / "registry.db", isolation_level=None)) as database:
        # A day later.
        database.execute("UPDATE upload SET expires_at = 1")
        with RunningServer(data, SWEEPING) as server:
            for tag, image in images.items():
                assert Registry(server.host).contents("team/app", tag) == contents(image)
            eventually(
                "what the killed runs left is swept",
                lambda: not database.execute("SELECT 1 FROM object WHERE state <> 'live'").fetchall(),
            )


def _served(client: RegistryClient, name: str, image: Pushable) -> bool:
    """Whether all that is in it comes byte for byte, each under its own digest."""
    whole = client.manifest(name, image.digest).content == image.manifest
    if not isinstance(image, TinyImage):
        return whole and all(_served(client, name, child) for child in image.children)
    pulled = {each.digest: client.blob(name, each.digest).content for each in image.blobs}
    return whole and all(digest_of(data, digest.split(":")[0]) == digest for digest, data in pulled.items())
