"""`entrepot import` of what Debian's docker-registry has kept: pushed to it for real, taken over, pulled from us."""

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bench.servers import peer_registry
from tests.support.client import RegistryClient
from tests.support.images import DOCKER, Pushable, TinyImage, artifact, digest_of, index, tiny_image
from tests.support.killed_import import killed_after
from tests.support.layout import contents, write_layout
from tests.support.server import PROJECT, RunningServer
from tests.support.skopeo import skopeo_in
from tests.system.command import Command, bare_environment
from tests.system.reading import Registry
from tests.system.require import require_programs
from tests.system.terminal import typed
from tests.system.waiting import eventually

PEER = "docker-registry serve {config}"
ENVIRONMENT = {"PYTHONPATH": str(PROJECT)}
LARGE = 200_000

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def old(tmp_path: Path) -> Callable[[], Any]:
    """Another registry, running as long as it is needed."""
    require_programs("docker-registry")

    @contextmanager
    def running() -> Iterator[tuple[RegistryClient, str]]:
        with (
            peer_registry(PEER, tmp_path / "old") as target,
            httpx.Client(base_url=f"http://{target.host}:{target.port}", trust_env=False, timeout=30) as http,
        ):
            yield RegistryClient(http), f"{target.host}:{target.port}"

    return running


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The root folder of what the other registry keeps."""
    return tmp_path / "old" / "data"


@pytest.fixture
def importing(tmp_path: Path, tree: Path) -> Command:
    data = ("--data", str(tmp_path / "data"))
    return Command((sys.executable, "-m", "registry", "import", "--from-distribution", str(tree), *data), ENVIRONMENT)


@contextmanager
def served(folder: Path) -> Iterator[Registry]:
    """Our registry over the data folder, open to everybody."""
    with RunningServer(folder / "data", {"open": True}) as server:
        yield Registry(server.host)


def state(tree: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Everything about every file that an import could have changed."""
    return {
        str(path): (facts.st_mode, facts.st_uid, facts.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(tree.rglob("*"))
        for facts in [path.stat()]
    }


def data_of(tree: Path, digest: str) -> Path:
    text = digest.removeprefix("sha256:")
    return tree / "docker/registry/v2/blobs/sha256" / text[:2] / text / "data"


def link_of(tree: Path, name: str, below: str) -> Path:
    return tree / "docker/registry/v2/repositories" / name / below / "link"


def test_every_image_then_pulls_byte_for_byte(
    old: Callable[[], Any], importing: Command, tmp_path: Path, tree: Path
) -> None:
    shared = tiny_image("shared", layers=3, layer_size=LARGE)
    both = index(*(tiny_image(f"import/{each}", layer_size=LARGE, architecture=each) for each in ("amd64", "arm64")))
    docker = tiny_image("docker", layers=2, layer_size=LARGE, style=DOCKER)
    first, second = tiny_image("moved/1"), tiny_image("moved/2")
    signature = artifact(subject=both)
    with old() as (client, host):
        client.push_image("team/app", shared, "1", "latest")
        client.push_image("copy", shared, "1")
        client.push_image("team/deep/app", docker, "2")
        client.push_image("team/app", first, "moving")
        client.push_image("team/app", second, "moving")
        layout = write_layout(tmp_path / "layout", {"1": both})
        skopeo_in(tmp_path / "skopeo")(
            "copy",
            "--all",
            "--preserve-digests",
            "--dest-tls-verify=false",
            f"oci:{layout}:1",
            f"docker://{host}/multi:1",
        )
        client.push_image("multi", signature)
    before = state(tree)
    report = json.loads(importing("--json").output)
    assert report["broken"] == report["moved"] == []
    assert report["manifests"] == {"imported": 1 + 1 + 1 + 2 + 3 + 1, "present": 0}
    assert (report["repositories"], report["tags"]["set"]) == (4, 6)
    assert report["blobs"]["adopted"] == 3 + 2 + 2
    wanted: list[tuple[str, str, Pushable]] = [
        ("team/app", "1", shared),
        ("team/app", "latest", shared),
        ("copy", "1", shared),
        ("team/deep/app", "2", docker),
        ("team/app", "moving", second),
        ("team/app", first.digest, first),
        ("multi", "1", both),
        ("multi", signature.digest, signature),
    ]
    with served(tmp_path) as registry:
        for name, reference, image in wanted:
            assert registry.contents(name, reference) == contents(image)
        assert registry.tags("team/app") == ["1", "latest", "moving"]
        with registry.http() as http:
            referrers = http.get(f"/v2/multi/referrers/{both.digest}").raise_for_status().json()["manifests"]
        assert [each["digest"] for each in referrers] == [signature.digest]
    assert state(tree) == before


def test_an_import_while_we_serve_is_seen_at_once(
    old: Callable[[], Any], importing: Command, tmp_path: Path, tree: Path
) -> None:
    image = tiny_image("while", layers=2, layer_size=LARGE)
    with old() as (client, _):
        client.push_image("team/app", image, "1")
    with served(tmp_path) as registry:
        assert "team/app: manifests 1, tags 1" in importing().complaints
        assert registry.contents("team/app", "1") == contents(image)
        # What is pushed to us again takes another file, and leaves the old registry's alone.
        before = state(tree)
        with registry.http() as http:
            RegistryClient(http).push_image("team/app", image, "again")
        assert registry.contents("team/app", "again") == contents(image)
        assert state(tree) == before


def test_a_damaged_tree_is_told_of_exactly_and_the_rest_comes(
    old: Callable[[], Any], importing: Command, tmp_path: Path, tree: Path
) -> None:
    missing, cut, flipped, gone, whole = (tiny_image(each, layer_size=LARGE) for each in ("m", "c", "f", "g", "w"))
    images = {"missing": missing, "cut": cut, "flipped": flipped, "gone": gone, "whole": whole}
    with old() as (client, _):
        for tag, image in images.items():
            client.push_image("team/app", image, tag)
        client.push_image("fine", whole, "1")
    _damage(tree, missing, cut, flipped, gone)
    before = state(tree)
    rehearsed, outcome = importing.run("--dry-run", "--json"), importing.run("--json")
    assert (rehearsed.code, outcome.code) == (3, 3)
    wanted = [
        ("blob", missing.layers[0].digest, "its data is missing"),
        ("blob", cut.layers[0].digest, f"its data has 1000 bytes instead of {cut.layers[0].size}"),
        ("blob", flipped.layers[0].digest, f"its data is {_digest(data_of(tree, flipped.layers[0].digest))}"),
        ("tag", "gone", f"it points to {gone.digest}, which is no manifest of this repository"),
    ]
    for tag, image in {"missing": missing, "cut": cut, "flipped": flipped}.items():
        wanted += [
            ("manifest", image.digest, f"it needs {image.layers[0].digest}"),
            ("tag", tag, f"it points to {image.digest}, which is not imported"),
        ]
    for told in (rehearsed, outcome):
        broken = json.loads(told.output)["broken"]
        assert {each["repository"] for each in broken} == {"team/app"}
        assert sorted((each["what"], each["name"], each["reason"]) for each in broken) == sorted(wanted)
    plain = importing.run()
    assert plain.code == 3
    assert f"broken: blob team/app {missing.layers[0].digest}: its data is missing\n" in plain.output
    assert plain.output.endswith(f"broken: {len(wanted)}\n")
    with served(tmp_path) as registry:
        assert registry.tags("team/app") == ["whole"]
        assert registry.contents("team/app", "whole") == contents(whole)
        assert registry.contents("fine", "1") == contents(whole)
    assert state(tree) == before


def test_a_dry_run_writes_nothing(old: Callable[[], Any], importing: Command, tmp_path: Path) -> None:
    with old() as (client, _):
        client.push_image("team/app", tiny_image("dry", layer_size=LARGE), "1")
    outcome = importing("--dry-run")
    assert "nothing was written" in outcome.output
    assert "blobs: 2 verified" in outcome.output
    assert not (tmp_path / "data").exists()


def test_an_import_killed_in_the_middle_is_begun_again(
    old: Callable[[], Any], importing: Command, tmp_path: Path, tree: Path
) -> None:
    images = {str(number): tiny_image(f"killed/{number}", layers=3, layer_size=6_000) for number in range(60)}
    with old() as (client, _):
        for tag, image in images.items():
            client.push_image("team/app", image, tag)
    before = state(tree)
    environment = bare_environment(importing.environment)
    settled = sum(killed_after(importing.prefix, environment, tmp_path / "data", blobs) for blobs in (0, 40))
    assert 0 < settled < len(images) * 4
    report = json.loads(importing("--json").output)
    assert report["broken"] == []
    assert report["manifests"]["imported"] + report["manifests"]["present"] == len(images)
    assert report["blobs"]["present"] >= 40
    assert report["blobs"]["adopted"] > 0
    settings: dict[str, str | bool] = {"open": True, "delete_delay": "0s", "sweep_interval": "100ms"}
    with closing(sqlite3.connect(tmp_path / "data" / "registry.db", isolation_level=None)) as database:
        # A day later.
        database.execute("UPDATE upload SET expires_at = 1")
        with RunningServer(tmp_path / "data", settings) as server:
            for tag, image in images.items():
                assert Registry(server.host).contents("team/app", tag) == contents(image)
            eventually(
                "what the killed runs left is swept",
                lambda: not database.execute("SELECT 1 FROM object WHERE state <> 'live'").fetchall(),
            )
        kept = {str(path.relative_to(tmp_path / "data")) for path in (tmp_path / "data/blobs").glob("*/*")}
        assert kept == {key for (key,) in database.execute("SELECT key FROM object")}
    assert state(tree) == before


def test_a_terminal_sees_how_far_it_is(old: Callable[[], Any], importing: Command) -> None:
    with old() as (client, _):
        client.push_image("team/app", tiny_image("bar", layer_size=LARGE), "1")
    code, said = typed(" ".join(importing.prefix), bare_environment(ENVIRONMENT | {"TERM": "xterm"}), {})
    assert code == 0
    assert "importing" in said
    assert "100%" in said
    assert "nothing is broken" in said


def test_a_folder_without_a_tree_is_refused(tmp_path: Path) -> None:
    command = Command((sys.executable, "-m", "registry", "import", "--from-distribution", str(tmp_path)), ENVIRONMENT)
    outcome = command.refused("--data", str(tmp_path / "data"))
    assert outcome.code == 2
    assert outcome.complaints == f"error: {tmp_path} holds no docker/registry/v2/repositories\n"
    assert not (tmp_path / "data").exists()


def _digest(path: Path) -> str:
    return digest_of(path.read_bytes())


def _damage(tree: Path, missing: TinyImage, cut: TinyImage, flipped: TinyImage, gone: TinyImage) -> None:
    """As disks and people do it."""
    data_of(tree, missing.layers[0].digest).unlink()
    with data_of(tree, cut.layers[0].digest).open("r+b") as file:
        file.truncate(1_000)
    with data_of(tree, flipped.layers[0].digest).open("r+b") as file:
        file.seek(100_000)
        byte = file.read(1)[0]
        file.seek(100_000)
        file.write(bytes([byte ^ 1]))
    link_of(tree, "team/app", f"_manifests/revisions/{gone.digest.replace(':', '/')}").unlink()
