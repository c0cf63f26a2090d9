"""The oras SDK against the registry: an artifact, something attached to it, and finding the one from the other."""

import json
from pathlib import Path
from typing import Any

import oras.client
import oras.oci
import pytest

from tests.support.images import artifact, random_bytes
from tests.system.reading import Registry

CONFIG = "application/vnd.example.config.v1+json"


@pytest.fixture
def oras_client(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> oras.client.OrasClient:
    """A client that works in a folder and with logins of its own.

    It signs in with Basic: the SDK keeps the first token it gets, which is one for `pull`, and pushes with that to any
    registry that looks at scopes (oras-py issue 187).
    """
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return _signed_in(registry, "basic")


def test_an_artifact_comes_back_file_by_file(
    oras_client: oras.client.OrasClient, registry: Registry, repository: str, tmp_path: Path
) -> None:
    files = {"report.txt": b"all is well\n", "model.bin": random_bytes(repository, 300_000), "empty": b""}
    _push(oras_client, f"{registry.host}/{repository}:1", files, tmp_path)
    assert set(files.values()) <= set(registry.contents(repository, "1").values())
    pulled = oras_client.pull(target=f"{registry.host}/{repository}:1", outdir=str(tmp_path / "out"))
    assert {Path(file).name: Path(file).read_bytes() for file in pulled} == files


def test_an_artifact_is_pulled_with_a_token(
    oras_client: oras.client.OrasClient, registry: Registry, repository: str, tmp_path: Path
) -> None:
    _push(oras_client, f"{registry.host}/{repository}:1", {"file": b"by token\n"}, tmp_path)
    pulled = _signed_in(registry, "token").pull(target=f"{registry.host}/{repository}:1", outdir=str(tmp_path / "out"))
    assert [Path(file).read_bytes() for file in pulled] == [b"by token\n"]


def test_an_artifact_pushed_in_chunks_comes_back(
    oras_client: oras.client.OrasClient, registry: Registry, repository: str, tmp_path: Path
) -> None:
    data = random_bytes(repository, 300_000)
    (tmp_path / "chunked.bin").write_bytes(data)
    target = f"{registry.host}/{repository}:1"
    oras_client.push(target=target, files=["chunked.bin"], do_chunked=True, chunk_size=70_000)
    assert data in registry.contents(repository, "1").values()


def test_an_attached_artifact_is_found_from_its_subject(
    oras_client: oras.client.OrasClient, registry: Registry, repository: str, tmp_path: Path
) -> None:
    target = f"{registry.host}/{repository}"
    _push(oras_client, f"{target}:1", {"image": random_bytes(repository, 1_000)}, tmp_path)
    subject = _subject(oras_client, f"{target}:1")
    assert subject.digest == registry.digest(repository, "1")
    (tmp_path / "sbom.json").write_text("{}")
    (tmp_path / "config.json").write_text("{}")
    answer = oras_client.push(
        target=f"{target}:sbom",
        files=["sbom.json:application/spdx+json"],
        manifest_config=f"config.json:{CONFIG}",
        manifest_annotations={"made.by": "a test"},
        subject=subject,
    )
    assert answer.headers["OCI-Subject"] == subject.digest
    (found,) = _referrers(oras_client, registry, repository, subject.digest)
    assert found["digest"] == registry.digest(repository, "sbom")
    assert (found["artifactType"], found["annotations"]) == (CONFIG, {"made.by": "a test"})
    pulled = oras_client.pull(target=f"{target}@{found['digest']}", outdir=str(tmp_path / "out"))
    assert [Path(file).read_text() for file in pulled] == ["{}"]


def test_referrers_are_filtered_by_artifact_type(
    oras_client: oras.client.OrasClient, registry: Registry, repository: str, tmp_path: Path
) -> None:
    """The SDK writes no `artifactType` of its own, so the manifests are ours and the conversation is the SDK's."""
    _push(oras_client, f"{registry.host}/{repository}:1", {"image": random_bytes(repository, 1_000)}, tmp_path)
    subject = _subject(oras_client, f"{registry.host}/{repository}:1")
    described = _Described(subject)
    kinds = {kind: artifact(f"application/vnd.example.{kind}", subject=described) for kind in ("sbom", "signature")}
    (tmp_path / "empty").write_bytes(b"{}")
    for kind, made in kinds.items():
        container = oras_client.get_container(f"{registry.host}/{repository}:{kind}")
        oras_client.upload_blob("empty", container, made.config.descriptor())
        oras_client.upload_manifest(made.document, container).raise_for_status()
    found = _referrers(oras_client, registry, repository, subject.digest)
    assert {one["artifactType"] for one in found} == {f"application/vnd.example.{kind}" for kind in kinds}
    only = f"{subject.digest}?artifactType=application/vnd.example.sbom"
    assert [one["artifactType"] for one in _referrers(oras_client, registry, repository, only)] == [
        "application/vnd.example.sbom"
    ]


def test_tags_are_listed_and_deleted(
    oras_client: oras.client.OrasClient, registry: Registry, repository: str, tmp_path: Path
) -> None:
    target = f"{registry.host}/{repository}"
    for tag in ("1", "2", "3"):
        _push(oras_client, f"{target}:{tag}", {"file": tag.encode()}, tmp_path)
    assert sorted(oras_client.get_tags(target)) == ["1", "2", "3"]
    assert oras_client.delete_tag(target, "2")
    assert sorted(registry.tags(repository)) == ["1", "3"]


class _Described:
    """The SDK's subject, as our builders take one."""

    def __init__(self, subject: oras.oci.Subject) -> None:
        self.digest: str = subject.digest
        self._descriptor = {"mediaType": subject.mediaType, "digest": subject.digest, "size": subject.size}

    def descriptor(self) -> dict[str, Any]:
        return self._descriptor


def _signed_in(registry: Registry, how: str) -> oras.client.OrasClient:
    client = oras.client.OrasClient(hostname=registry.host, insecure=True, auth_backend=how)
    if registry.credentials:
        client.auth.set_basic_auth(*registry.credentials)
    return client


def _push(client: oras.client.OrasClient, target: str, files: dict[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    client.push(target=target, files=list(files))


def _subject(client: oras.client.OrasClient, target: str) -> oras.oci.Subject:
    found: oras.oci.Subject = oras.oci.Subject.from_manifest(client.get_manifest(target))
    return found


def _referrers(
    client: oras.client.OrasClient, registry: Registry, repository: str, digest: str
) -> list[dict[str, Any]]:
    answer = client.do_request(f"{registry.url}/v2/{repository}/referrers/{digest}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = json.loads(answer.text)["manifests"]
    return found
