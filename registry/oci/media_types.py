"""Media types that the registry itself must know; every other is welcome and passes through."""

from __future__ import annotations

import re
from typing import Final

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
OCTETS: Final = "application/octet-stream"

INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
IMAGES: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
# Schema 1 is signed, unversioned JSON that no current client pushes: refused by name, so that its user learns why.
OBSOLETE: Final = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)

# RFC 6838, section 4.2: restricted names, 127 characters at most on either side of the slash.
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_FORM: Final = re.compile(rf"{_NAME}/{_NAME}")


def is_media_type(text: str) -> bool:
    """Whether this is a media type without parameters (RFC 6838)."""
    return _FORM.fullmatch(text) is not None


def without_parameters(content_type: str) -> str:
    """`Content-Type` less its parameters, which registries SHOULD ignore (distribution-spec, Pushing Manifests)."""
    return content_type.partition(";")[0].strip()


def is_nondistributable(media_type: str) -> bool:
    """Layers that a client may leave out: Windows base layers and their kind (image-spec, Non-distributable layers)."""
    return (
        ".nondistributable." in media_type or media_type == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    )
