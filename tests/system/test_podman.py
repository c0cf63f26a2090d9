"""podman and buildah against the registry: build, push an index, pull it back, each on a store of its own."""

from pathlib import Path

from tests.support.images import index, tiny_image
from tests.support.layout import contents, write_layout
from tests.system.command import Command
from tests.system.docker_images import known
from tests.system.reading import Registry
from tests.system.require import require

AT = "--tls-verify=false"
ARCHITECTURES = ("amd64", "arm64")


def test_podman_login_tells_right_from_wrong(podman: Command, registry: Registry, tmp_path: Path) -> None:
    require(registry.credentials, "the registry under test lets everybody in")
    name, password = registry.credentials or ("", "")
    login = ("login", AT, "--authfile", str(tmp_path / "auth.json"), "--username", name, "--password-stdin")
    assert "Login Succeeded!" in podman(*login, registry.host, stdin=password.encode()).text
    assert "invalid username/password" in podman.refused(*login, registry.host, stdin=b"wrong").text


def test_podman_gets_back_what_it_pushed(podman: Command, registry: Registry, repository: str, tmp_path: Path) -> None:
    name = f"{registry.host}/{repository}:1"
    layout = write_layout(tmp_path / "in", {"1": tiny_image(repository, layers=3, layer_size=50_000)})
    image = podman("pull", "--quiet", f"oci:{layout}:1").output.strip()
    podman("push", AT, "--digestfile", str(tmp_path / "digest"), image, name)
    digest = (tmp_path / "digest").read_text()
    assert registry.digest(repository, "1") == digest
    podman("image", "rm", "--force", image)
    assert podman("pull", AT, "--quiet", name).output.strip() == image
    assert podman("image", "inspect", "--format", "{{.Digest}}", name).output.strip() == digest


def test_podman_pulls_by_digest(
    podman: Command, skopeo: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    image = tiny_image(repository)
    layout = write_layout(tmp_path / "in", {"1": image})
    skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:1", f"docker://{registry.host}/{repository}:1")
    pulled = podman("pull", AT, "--quiet", f"{registry.host}/{repository}@{image.digest}").output.strip()
    assert f"sha256:{pulled}" == image.config.digest


def test_podman_picks_its_platform_from_an_index_and_another_when_told(
    podman: Command, skopeo: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    images = {arch: tiny_image(f"{repository}/{arch}", architecture=arch) for arch in ARCHITECTURES}
    layout = write_layout(tmp_path / "in", {"1": index(*images.values())})
    name = f"{registry.host}/{repository}:1"
    skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{layout}:1", f"docker://{name}")
    for arch, image in images.items():
        pulled = podman("pull", AT, "--quiet", "--arch", arch, name).output.strip()
        assert f"sha256:{pulled}" == image.config.digest


def test_an_index_built_and_pushed_by_buildah_comes_back_whole(
    buildah: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    _push_index(buildah, registry, repository, tmp_path)
    held = registry.contents(repository, "1")
    assert len(held) == 1 + 3 * len(ARCHITECTURES)
    buildah("rmi", "--all", "--force")
    for image in _images(registry, repository).values():
        pulled = buildah("pull", "--quiet", AT, f"{registry.host}/{repository}@{image}").output.strip()
        assert f"sha256:{pulled}" == registry.manifest(repository, image)["config"]["digest"]


def test_docker_pulls_its_platform_from_an_index_pushed_by_buildah(
    docker: Command, buildah: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    _push_index(buildah, registry, repository, tmp_path)
    name, images = f"{registry.host}/{repository}:1", _images(registry, repository)
    for arch in ARCHITECTURES:
        said = docker("pull", "--platform", f"linux/{arch}", name)
        assert f"Digest: {registry.digest(repository, '1')}" in said.text
        config = registry.manifest(repository, images[arch])["config"]["digest"]
        assert (known(docker, name).architecture, known(docker, name).config_digest) == (arch, config)


def test_podman_pushes_an_index_of_images_it_pulled(
    podman: Command, registry: Registry, repository: str, tmp_path: Path
) -> None:
    images = {arch: tiny_image(f"{repository}/{arch}", architecture=arch) for arch in ARCHITECTURES}
    layout = write_layout(tmp_path / "in", images)
    podman("manifest", "create", "local")
    for arch in ARCHITECTURES:
        podman("manifest", "add", "local", f"oci:{layout}:{arch}")
    podman("manifest", "push", AT, "--all", "local", f"docker://{registry.host}/{repository}:1")
    held = registry.contents(repository, "1")
    assert contents(*images.values()).items() <= held.items()
    assert set(_images(registry, repository).values()) == {image.digest for image in images.values()}


def _push_index(buildah: Command, registry: Registry, repository: str, folder: Path) -> None:
    """Build an image from scratch for each architecture, and push their index with everything in it."""
    buildah("manifest", "create", "local")
    for arch in ARCHITECTURES:
        (folder / arch).write_bytes(tiny_image(f"{repository}/{arch}", layer_size=30_000).layers[0].data)
        container = buildah("from", "--arch", arch, "scratch").output.strip()
        buildah("copy", "--quiet", container, str(folder / arch), "/")
        buildah("config", "--arch", arch, container)
        image = buildah("commit", "--quiet", "--rm", container).output.strip()
        buildah("manifest", "add", "--arch", arch, "local", image)
    buildah("manifest", "push", AT, "--all", "--quiet", "local", f"docker://{registry.host}/{repository}:1")


def _images(registry: Registry, repository: str) -> dict[str, str]:
    """The digests of the index tagged `1`, by architecture."""
    named = registry.manifest(repository, "1")["manifests"]
    return {part["platform"]["architecture"]: part["digest"] for part in named}
