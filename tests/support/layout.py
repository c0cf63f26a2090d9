"""An OCI image layout on disk, as skopeo, podman and buildah read it (`oci:FOLDER:NAME`)."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.images import OCI_INDEX, Document, Pushable, TinyImage, digest_of, encode

REFERENCE = "org.opencontainers.image.ref.name"


def write_layout(folder: Path, images: Mapping[str, Pushable]) -> Path:
    """Write each image with everything in it, named by its key; `folder` (image-spec, Image Layout)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))
    for image in images.values():
        for digest, data in _contents(image):
            _blob_path(folder, digest).write_bytes(data)
    named = [_named(image, name) for name, image in images.items()]
    (folder / "index.json").write_bytes(encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": named}))
    return folder


def read_layout(folder: Path) -> dict[str, bytes]:
    """Every blob of a layout by its digest. Raises: ValueError for bytes that are not what their name says."""
    found: dict[str, bytes] = {}
    for file in (folder / "blobs").glob("*/*"):
        digest, data = f"{file.parent.name}:{file.name}", file.read_bytes()
        if digest_of(data, file.parent.name) != digest:
            message = f"{digest} holds other bytes"
            raise ValueError(message)
        found[digest] = data
    return found


def contents(*images: Pushable) -> dict[str, bytes]:
    """What a layout of `images` must hold, by digest; `read_layout` of a faithful copy equals it."""
    return {digest: data for image in images for digest, data in _contents(image)}


def _named(image: Pushable, name: str) -> Document:
    return image.descriptor() | {"annotations": {REFERENCE: name}}


def _contents(image: Pushable) -> Iterator[tuple[str, bytes]]:
    yield image.digest, image.manifest
    if isinstance(image, TinyImage):
        yield from ((blob.digest, blob.data) for blob in image.blobs)
    else:
        for child in image.children:
            yield from _contents(child)


def _blob_path(folder: Path, digest: str) -> Path:
    path = folder / "blobs" / digest.replace(":", "/")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
