"""skopeo against the registry: copy, sync, inspect, list and delete, without a daemon in between."""

import json
from pathlib import Path

import httpx

from tests.support.images import DOCKER, OCI, Pushable, artifact, index, tiny_image
from tests.support.layout import contents, read_layout, write_layout
from tests.system.command import Command
from tests.system.reading import Registry

INTO, FROM, AT = "--dest-tls-verify=false", "--src-tls-verify=false", "--tls-verify=false"


def test_an_image_copied_in_and_out_is_the_same_to_the_byte(
    skopeo: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    image = tiny_image(repository, layers=3, layer_size=100_000)
    _copy_in(skopeo, registry, repository, image, tmp_path)
    assert registry.contents(repository, "1") == contents(image)
    assert _copied_out(skopeo, registry, repository, tmp_path) == contents(image)


def test_copy_all_carries_an_index_and_both_its_images(
    skopeo: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    made = _two_architectures(repository)
    _copy_in(skopeo, registry, repository, made, tmp_path)
    assert registry.digest(repository, "1") == made.digest
    assert registry.contents(repository, "1") == contents(made)
    assert _copied_out(skopeo, registry, repository, tmp_path) == contents(made)


def test_copy_from_repository_to_repository_keeps_every_digest(
    skopeo: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    made = _two_architectures(repository)
    _copy_in(skopeo, registry, f"{repository}/left", made, tmp_path)
    left, right = (_at(registry, f"{repository}/{side}") for side in ("left", "right"))
    skopeo("copy", "--all", "--preserve-digests", FROM, INTO, left, right)
    assert registry.contents(f"{repository}/right", "1") == contents(made)


def test_an_image_converted_to_docker_schema_2_keeps_its_layers(
    skopeo: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    image = tiny_image(repository, layers=2, layer_size=5_000)
    layout = write_layout(tmp_path / "in", {"1": image})
    skopeo("copy", "--format", "v2s2", INTO, f"oci:{layout}:1", _at(registry, repository))
    manifest = registry.manifest(repository, "1")
    assert (manifest["mediaType"], manifest["config"]["mediaType"]) == (DOCKER.manifest, DOCKER.config)
    assert [layer["digest"] for layer in manifest["layers"]] == [layer.digest for layer in image.layers]
    assert {blob.digest for blob in image.blobs} < set(registry.contents(repository, "1"))


def test_an_artifact_is_copied_like_an_image(
    skopeo: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    made = artifact("application/vnd.example.thing.v1", *tiny_image(repository).layers)
    _copy_in(skopeo, registry, repository, made, tmp_path)
    assert registry.contents(repository, "1") == contents(made)


def test_sync_mirrors_every_tag_of_a_repository(
    skopeo: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    images: dict[str, Pushable] = {tag: tiny_image(f"{repository}/{tag}") for tag in ("1", "2")}
    images["all"] = _two_architectures(repository)
    for tag, image in images.items():
        _copy_in(skopeo, registry, f"{repository}/app", image, tmp_path / tag, tag)
    source, mirror = f"{registry.host}/{repository}/app", f"{registry.host}/{repository}/mirror"
    skopeo("sync", "--all", FROM, INTO, "--src", "docker", "--dest", "docker", source, mirror)
    assert set(registry.tags(f"{repository}/mirror/app")) == set(images)
    for tag, image in images.items():
        assert registry.contents(f"{repository}/mirror/app", tag) == contents(image)


def test_inspect_tells_digest_layers_and_tags(
    skopeo: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    image = tiny_image(repository, layers=2)
    _copy_in(skopeo, registry, repository, image, tmp_path)
    told = json.loads(skopeo("inspect", AT, _at(registry, repository)).output)
    assert told["Digest"] == image.digest
    assert told["Layers"] == [layer.digest for layer in image.layers]
    assert told["RepoTags"] == ["1"]
    assert skopeo("inspect", "--raw", AT, _at(registry, repository)).output.encode() == image.manifest
    assert skopeo("inspect", "--raw", "--config", AT, _at(registry, repository)).output.encode() == image.config.data


def test_list_tags_lists_each_once(skopeo: Command, registry: Registry, repository: str, tmp_path: Path) -> None:
    image = tiny_image(repository)
    for tag in ("b", "a", "c"):
        _copy_in(skopeo, registry, repository, image, tmp_path / tag, tag)
    told = json.loads(skopeo("list-tags", AT, f"docker://{registry.host}/{repository}").output)
    assert sorted(told["Tags"]) == ["a", "b", "c"]


def test_delete_removes_the_manifest_and_its_tags_at_once(
    skopeo: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    kept, gone = tiny_image(f"{repository}/kept"), tiny_image(f"{repository}/gone")
    _copy_in(skopeo, registry, repository, kept, tmp_path / "kept", "kept")
    _copy_in(skopeo, registry, repository, gone, tmp_path / "gone", "gone")
    skopeo("delete", AT, _at(registry, repository, "gone"))
    assert registry.tags(repository) == ["kept"]
    assert "manifest unknown" in skopeo.refused("inspect", AT, _at(registry, repository, "gone")).text
    with registry.http() as http:
        assert http.head(f"/v2/{repository}/manifests/{gone.digest}").status_code == httpx.codes.NOT_FOUND
    assert registry.contents(repository, "kept") == contents(kept)


def test_an_image_without_its_type_in_the_manifest_is_copied(
    skopeo: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    """buildah and older tools leave `mediaType` out of the document: the descriptor alone says what it is."""
    made = tiny_image(repository)
    document = {name: value for name, value in made.document.items() if name != "mediaType"}
    bare = type(made)(json.dumps(document).encode(), OCI.manifest, made.config, made.layers)
    _copy_in(skopeo, registry, repository, bare, tmp_path)
    assert _copied_out(skopeo, registry, repository, tmp_path) == contents(bare)


def _two_architectures(seed: str) -> Pushable:
    return index(*(tiny_image(f"{seed}/{arch}", layers=2, architecture=arch) for arch in ("amd64", "arm64")))


def _at(registry: Registry, repository: str, tag: str = "1") -> str:
    return f"docker://{registry.host}/{repository}:{tag}"


def _copy_in(
    skopeo: Command, registry: Registry, repository: str, image: Pushable, folder: Path, tag: str = "1"
) -> None:
    layout = write_layout(folder / "in", {"1": image})
    skopeo("copy", "--all", "--preserve-digests", INTO, f"oci:{layout}:1", _at(registry, repository, tag))


def _copied_out(skopeo: Command, registry: Registry, repository: str, folder: Path) -> dict[str, bytes]:
    skopeo("copy", "--all", "--preserve-digests", FROM, _at(registry, repository), f"oci:{folder / 'out'}:1")
    return read_layout(folder / "out")
