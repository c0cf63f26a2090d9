"""Content to push, made in pure Python: the same seed gives the same bytes, on every machine and in every run.

tiny_image("alpine", layers=3)               an OCI image; style=DOCKER for schema 2
index(tiny_image("a"), tiny_image("b"))      an index; of images and indexes
artifact("application/x.sbom", subject=…)    an artifact, attached or not
"""

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCTETS = "application/octet-stream"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Style:
    """The media types of one family of images."""

    manifest: str
    index: str
    config: str
    layer: str


OCI = Style(OCI_MANIFEST, OCI_INDEX, OCI_CONFIG, OCI_LAYER)
DOCKER = Style(DOCKER_MANIFEST, DOCKER_INDEX, DOCKER_CONFIG, DOCKER_LAYER)


class Described(Protocol):
    """Whatever a descriptor can name."""

    @property
    def digest(self) -> str:
        """`algorithm:hex` of its bytes."""

    def descriptor(self) -> Document:
        """How a manifest names it."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes, the media type that descriptors give them, and the algorithm of their digest."""

    data: bytes
    media_type: str = OCTETS
    algorithm: str = "sha256"

    @property
    def digest(self) -> str:
        """`algorithm:hex` of the bytes."""
        return digest_of(self.data, self.algorithm)

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.data)

    def descriptor(self) -> Document:
        """How a manifest names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class TinyImage:
    """An image or an artifact: blobs, and the exact bytes of the manifest that names them."""

    manifest: bytes
    media_type: str
    config: Blob
    layers: tuple[Blob, ...]
    algorithm: str = "sha256"
    platform: Mapping[str, str] | None = None

    @property
    def digest(self) -> str:
        """`algorithm:hex` of the manifest."""
        return digest_of(self.manifest, self.algorithm)

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Config and layers, each once, in the order of the manifest."""
        return tuple({blob.digest: blob for blob in (self.config, *self.layers)}.values())

    @property
    def document(self) -> Document:
        """The manifest, read."""
        return _read(self.manifest)

    def descriptor(self) -> Document:
        """How an index or a subject names it; with its platform, if it has one."""
        named = {"mediaType": self.media_type, "digest": self.digest, "size": len(self.manifest)}
        return named | ({"platform": dict(self.platform)} if self.platform else {})


@dataclass(frozen=True, slots=True)
class TinyIndex:
    """An image index: its exact bytes, and the images and indexes in it."""

    manifest: bytes
    media_type: str
    children: "tuple[TinyImage | TinyIndex, ...]" = field(default=())
    algorithm: str = "sha256"

    @property
    def digest(self) -> str:
        """`algorithm:hex` of the index."""
        return digest_of(self.manifest, self.algorithm)

    @property
    def document(self) -> Document:
        """The index, read."""
        return _read(self.manifest)

    def descriptor(self) -> Document:
        """How another index or a subject names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.manifest)}


Pushable = TinyImage | TinyIndex
EMPTY = Blob(b"{}", OCI_EMPTY)


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """`algorithm:hex`, as descriptors write it."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def random_bytes(seed: str, size: int) -> bytes:
    """`size` bytes that do not compress; the same for the same seed."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - wanted: the same bytes each time


def encode(document: Mapping[str, object]) -> bytes:
    """A document as the bytes that are pushed."""
    return json.dumps(document, indent=2).encode()


def layer_of(files: Mapping[str, bytes], style: Style = OCI, algorithm: str = "sha256") -> tuple[Blob, str]:
    """A layer holding `files`, and its diff id (the digest of the tar before gzip)."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    packed = gzip.compress(held.getvalue(), compresslevel=1, mtime=0)
    return Blob(packed, style.layer, algorithm), digest_of(held.getvalue())


def tiny_image(
    seed: str = "tiny",
    *,
    layers: int = 1,
    layer_size: int = 64,
    style: Style = OCI,
    algorithm: str = "sha256",
    architecture: str = "amd64",
    subject: Described | None = None,
    artifact_type: str | None = None,
    annotations: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> TinyImage:
    """An image that clients accept: `layers` gzipped tars of one file of `layer_size` random bytes each.

    `more` adds members to the manifest that no builder knows.
    """
    made = [_layer(seed, number, layer_size, style, algorithm) for number in range(layers)]
    config = Blob(encode(_config(seed, architecture, [diff for _, diff in made])), style.config, algorithm)
    blobs = tuple(layer for layer, _ in made)
    document = _manifest(style.manifest, config, blobs)
    document |= _optional(artifactType=artifact_type, subject=subject, annotations=annotations) | dict(more or {})
    platform = {"os": "linux", "architecture": architecture}
    return TinyImage(encode(document), style.manifest, config, blobs, algorithm, platform)


def artifact(
    artifact_type: str | None = "application/vnd.example.thing.v1",
    *blobs: Blob,
    config: Blob = EMPTY,
    subject: Described | None = None,
    annotations: Mapping[str, str] | None = None,
    algorithm: str = "sha256",
) -> TinyImage:
    """A manifest that packs `blobs` (by default the empty one) for something other than an image."""
    document = _manifest(OCI_MANIFEST, config, blobs or (EMPTY,))
    document |= _optional(artifactType=artifact_type, subject=subject, annotations=annotations)
    return TinyImage(encode(document), OCI_MANIFEST, config, blobs or (EMPTY,), algorithm)


def index(
    *children: Pushable,
    style: Style = OCI,
    algorithm: str = "sha256",
    subject: Described | None = None,
    artifact_type: str | None = None,
    annotations: Mapping[str, str] | None = None,
) -> TinyIndex:
    """An index of `children`, which may be indexes themselves; of nothing, when there are none."""
    named = [child.descriptor() for child in children]
    document: Document = {"schemaVersion": 2, "mediaType": style.index, "manifests": named}
    document |= _optional(artifactType=artifact_type, subject=subject, annotations=annotations)
    return TinyIndex(encode(document), style.index, children, algorithm)


def padded(image: TinyImage, size: int) -> TinyImage:
    """The same image with a manifest of exactly `size` bytes."""
    document = image.document | {"annotations": {"padding": ""}}
    missing = size - len(encode(document))
    document["annotations"]["padding"] = "x" * missing
    return replace(image, manifest=encode(document))


def _layer(seed: str, number: int, size: int, style: Style, algorithm: str) -> tuple[Blob, str]:
    return layer_of({f"{seed}-{number}".replace("/", "-"): random_bytes(f"{seed}/{number}", size)}, style, algorithm)


def _config(seed: str, architecture: str, diff_ids: Sequence[str]) -> Document:
    return {
        "created": "2026-01-01T00:00:00Z",
        "architecture": architecture,
        "os": "linux",
        "config": {"Labels": {"seed": seed}},
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": f"layer {diff}"} for diff in diff_ids],
    }


def _manifest(media_type: str, config: Blob, layers: Sequence[Blob]) -> Document:
    return {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
    }


def _optional(**members: "Described | Mapping[str, str] | str | None") -> Document:
    """Only the members that have a value; something described stands as its descriptor, without a platform."""
    named = {name: _member(value) for name, value in members.items()}
    return {name: value for name, value in named.items() if value is not None}


def _member(value: "Described | Mapping[str, str] | str | None") -> object:
    if value is None or isinstance(value, str | Mapping):
        return value
    return {name: part for name, part in value.descriptor().items() if name != "platform"}


def _read(manifest: bytes) -> Document:
    document: Document = json.loads(manifest)
    return document
