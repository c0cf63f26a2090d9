"""`entrepot import` of what Debian's docker-registry keeps in a bucket: pushed to it for real, then pulled from us."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bench.scenes import Ground
from tests.bench.servers import peer_registry
from tests.support.client import RegistryClient
from tests.support.images import DOCKER, TinyImage, index, tiny_image
from tests.support.layout import contents
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, S3Server, s3_server
from tests.support.server import PROJECT, RunningServer
from tests.system.command import Command
from tests.system.reading import Registry
from tests.system.require import require_programs

__all__ = ["s3_server"]

pytestmark = pytest.mark.timeout(300)

ROOT = "kept/here"
# More than one part of that registry's uploads.
LARGE = 12 << 20
BROKEN = 3
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


@dataclass(frozen=True)
class Old:
    """A bucket that another registry has filled, and the command that takes over what is in it."""

    server: S3Server
    bucket: str
    importing: Command

    def objects(self) -> dict[str, str]:
        """Every key with its entity tag."""
        listed = self.server.client().list_objects_v2(Bucket=self.bucket).get("Contents", ())
        return {each["Key"]: each["ETag"] for each in listed}

    def data_of(self, digest: str) -> str:
        """Where the bytes of a blob are."""
        text = digest.removeprefix("sha256:")
        return f"{ROOT}/docker/registry/v2/blobs/sha256/{text[:2]}/{text}/data"


@pytest.fixture
def pushed() -> dict[tuple[str, str], Any]:
    """What was pushed, by name and tag."""
    platforms = [tiny_image(f"s3/{each}", architecture=each) for each in ("amd64", "arm64")]
    return {
        ("team/app", "1"): tiny_image("s3", layers=2, layer_size=LARGE),
        ("team/app", "2"): tiny_image("docker", layers=2, style=DOCKER),
        ("deep/in/folders", "latest"): tiny_image("deep"),
        ("multi", "1"): index(*platforms),
    }


@pytest.fixture
def old(s3_server: S3Server, tmp_path: Path, pushed: dict[tuple[str, str], Any]) -> Old:
    require_programs("docker-registry")
    bucket = s3_server.new_bucket()
    with (
        peer_registry("docker-registry serve {config}", tmp_path / "old", _kept_in(s3_server, bucket)) as target,
        httpx.Client(base_url=f"http://{target.host}:{target.port}", trust_env=False, timeout=60) as http,
    ):
        for (name, tag), image in pushed.items():
            RegistryClient(http).push_image(name, image, tag)
    where = ("--from-distribution", f"s3://{bucket}/{ROOT}", "--s3-endpoint", s3_server.url, "--s3-path-style")
    command = (sys.executable, "-m", "registry", "import", *where, "--data", str(tmp_path / "data"))
    return Old(s3_server, bucket, Command(command, {"PYTHONPATH": str(PROJECT), **KEYS}))


def _kept_in(server: S3Server, bucket: str) -> Ground:
    given = {
        "accesskey": ACCESS_KEY,
        "secretkey": SECRET_KEY,
        "region": "us-east-1",
        "regionendpoint": server.url,
        "bucket": bucket,
        "rootdirectory": f"/{ROOT}",
        "forcepathstyle": "true",
        "secure": "false",
    }
    driver = ", ".join(f"{name}: {value}" for name, value in given.items())
    return Ground({}, lambda: f"s3: {{{{{driver}}}}}")


def test_every_image_in_a_bucket_then_pulls_byte_for_byte(
    old: Old, pushed: dict[tuple[str, str], Any], tmp_path: Path
) -> None:
    before = old.objects()
    report = json.loads(old.importing("--json").output)
    assert report["broken"] == []
    assert (report["repositories"], report["tags"]["set"]) == (3, len(pushed))
    assert report["blobs"]["adopted"] == 0
    with RunningServer(tmp_path / "data", {"open": True}) as server:
        for (name, tag), image in pushed.items():
            assert Registry(server.host).contents(name, tag) == contents(image)
    assert old.objects() == before


def test_what_is_there_already_is_not_fetched_again(old: Old) -> None:
    assert json.loads(old.importing("--json").output)["blobs"]["copied"] > 0
    again = json.loads(old.importing("--json").output)
    assert (again["blobs"]["copied"], again["manifests"]["imported"], again["tags"]["set"]) == (0, 0, 0)


def test_damage_in_a_bucket_is_reported_and_the_rest_comes(old: Old, pushed: dict[tuple[str, str], Any]) -> None:
    image: TinyImage = pushed["team/app", "1"]
    lost, altered = image.layers[0].digest, pushed["deep/in/folders", "latest"].layers[0].digest
    client = old.server.client()
    client.delete_object(Bucket=old.bucket, Key=old.data_of(lost))
    client.put_object(Bucket=old.bucket, Key=old.data_of(altered), Body=b"other bytes")
    outcome = old.importing.run("--json")
    assert outcome.code == BROKEN
    report = json.loads(outcome.output)
    told = json.dumps(report["broken"])
    assert lost in told
    assert altered in told
    assert report["tags"]["set"] == len(pushed) - 2


def test_keys_that_are_refused_end_the_import_with_their_reason(old: Old) -> None:
    wrong = Command(old.importing.prefix, {**old.importing.environment, "AWS_SECRET_ACCESS_KEY": "wrong"})
    outcome = wrong.refused()
    assert outcome.code == 1
    assert "SignatureDoesNotMatch" in outcome.complaints


def test_a_bucket_without_a_tree_is_refused(old: Old, s3_server: S3Server) -> None:
    where = f"s3://{s3_server.new_bucket()}"
    words = tuple(where if word.startswith("s3://") else word for word in old.importing.prefix)
    outcome = Command(words, old.importing.environment).refused()
    assert outcome.code == 2
    assert f"{where} holds no docker/registry/v2/repositories" in outcome.complaints
