"""Manifests, read just as far as a registry must: what they are, and what they point to.

    bytes ──parse──▶ Manifest ── references ──▶ config · layers · children · subject
                        │
                        └─ artifact type and annotations, for the referrers API

The bytes themselves are kept and returned unchanged; nothing here writes a manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NoReturn

from registry.oci import media_types
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid, ManifestInvalid, RegistryError

DEEPEST: Final = 32
MOST_REFERENCES: Final = 50_000
_MOST_NODES: Final = 200_000


class Kind(IntEnum):
    """What a manifest holds a reference to; the numbers are kept in SQL."""

    CONFIG = 1
    LAYER = 2
    CHILD = 3
    SUBJECT = 4


@dataclass(frozen=True, slots=True)
class Reference:
    """One descriptor of a manifest."""

    kind: Kind
    digest: Digest
    size: int
    media_type: str

    @property
    def is_required(self) -> bool:
        """Whether the content must be there first: a subject may come later, a non-distributable layer never."""
        return self.kind is not Kind.SUBJECT and not media_types.is_nondistributable(self.media_type)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as the registry sees it; `artifact_type` is what the referrers API says of it."""

    media_type: str
    references: tuple[Reference, ...]
    artifact_type: str | None
    annotations: Mapping[str, str]

    @property
    def subject(self) -> Digest | None:
        """The manifest that this one refers to (image-spec, `subject`)."""
        return next((each.digest for each in self.references if each.kind is Kind.SUBJECT), None)


def parse_manifest(content: bytes, content_type: str) -> Manifest:
    """Read a pushed manifest; `content_type` is the request's header, empty when there was none.

    Raises: ManifestInvalid, DigestInvalid.
    """
    document = _parse_json(content)
    sent = media_types.without_parameters(content_type)
    if content_type and not sent:
        raise ManifestInvalid(reason="Content-Type without a media type")
    media_type = _media_type(document.get("mediaType"), sent, document)
    _refuse_ambiguity(document, media_type)
    references = tuple(_references(document))
    if len(references) > MOST_REFERENCES:
        raise ManifestInvalid(reason="too many descriptors", limit=MOST_REFERENCES)
    return Manifest(media_type, references, _artifact_type(document, media_type), _annotations(document))


def needs(content: bytes, media_type: str, part: Digest) -> bool:
    """Whether a manifest of these bytes must have that part, which it references; in doubt, yes."""
    try:
        references = parse_manifest(content, media_type).references
    except RegistryError:
        return True
    return any(each.is_required for each in references if each.digest == part)


def _media_type(declared: object, sent: str, document: Mapping[str, Any]) -> str:
    if declared is not None and not isinstance(declared, str):
        raise ManifestInvalid(reason="mediaType is not a string")
    if declared and sent and declared != sent:
        raise ManifestInvalid(
            reason="mediaType differs from Content-Type", mediaType=declared[:200], contentType=sent[:200]
        )
    media_type = sent or declared or ""
    if not media_type:
        # Neither says what it is: only then may the shape decide (image-spec: mediaType SHOULD be used).
        media_type = media_types.OCI_INDEX if "manifests" in document else media_types.OCI_MANIFEST
    if not media_types.is_media_type(media_type):
        raise ManifestInvalid(reason="invalid media type", mediaType=media_type[:200])
    if media_type in media_types.OBSOLETE:
        raise ManifestInvalid(
            reason="docker image manifest schema 1 is obsolete and not accepted", mediaType=media_type
        )
    return media_type


def _refuse_ambiguity(document: Mapping[str, Any], media_type: str) -> None:
    """One document must not be read as an image by one client and as an index by another (CVE-2021-41190)."""
    is_image = "layers" in document or "config" in document
    is_index = "manifests" in document
    if is_image and is_index:
        raise ManifestInvalid(reason="a manifest cannot hold both layers or config and manifests")
    if media_type in media_types.INDEXES and not isinstance(document.get("manifests"), list):
        raise ManifestInvalid(reason="an index needs manifests")
    if media_type in media_types.IMAGES and not (document.get("config") and isinstance(document.get("layers"), list)):
        raise ManifestInvalid(reason="an image manifest needs config and layers")
    if document.get("schemaVersion") != 2 and media_type in media_types.IMAGES | media_types.INDEXES:  # noqa: PLR2004  the only version there is
        raise ManifestInvalid(reason="schemaVersion must be 2")


def _references(document: Mapping[str, Any]) -> list[Reference]:
    found = []
    if document.get("config") is not None:
        found.append(_descriptor(document["config"], Kind.CONFIG, "config"))
    found += [_descriptor(each, Kind.LAYER, "layers") for each in _list(document, "layers")]
    # Artifact manifests of OCI 1.1's release candidates call their layers blobs.
    found += [_descriptor(each, Kind.LAYER, "blobs") for each in _list(document, "blobs")]
    found += [_descriptor(each, Kind.CHILD, "manifests") for each in _list(document, "manifests")]
    if document.get("subject") is not None:
        found.append(_descriptor(document["subject"], Kind.SUBJECT, "subject"))
    return found


def _list(document: Mapping[str, Any], field: str) -> list[object]:
    value = document.get(field)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ManifestInvalid(reason=f"{field} is not a list")
    return value


def _descriptor(value: object, kind: Kind, field: str) -> Reference:
    """One content descriptor (image-spec, Content Descriptors)."""
    if not isinstance(value, dict):
        raise ManifestInvalid(reason=f"{field} holds something that is not a descriptor")
    digest, size, media_type = value.get("digest"), value.get("size"), value.get("mediaType")
    if not isinstance(digest, str):
        raise ManifestInvalid(reason=f"{field} holds a descriptor without digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**63:
        raise ManifestInvalid(reason=f"{field} holds a descriptor without a proper size", digest=digest[:200])
    if not isinstance(media_type, str) or not media_types.is_media_type(media_type):
        raise ManifestInvalid(reason=f"{field} holds a descriptor without a proper mediaType", digest=digest[:200])
    try:
        return Reference(kind, Digest.parse(digest), size, media_type)
    except DigestInvalid:
        raise ManifestInvalid(reason=f"{field} holds an invalid or unsupported digest", digest=digest[:200]) from None


def _artifact_type(document: Mapping[str, Any], media_type: str) -> str | None:
    """The manifest's own, else its config's media type; an index without one has none (Listing Referrers)."""
    own = document.get("artifactType")
    if own is not None and not (isinstance(own, str) and own.isprintable()):
        raise ManifestInvalid(reason="artifactType is not a printable string")
    if own:
        return own
    config = document.get("config")
    if media_type in media_types.INDEXES or not isinstance(config, dict):
        return None
    return str(config["mediaType"])


def _annotations(document: Mapping[str, Any]) -> Mapping[str, str]:
    value = document.get("annotations")
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise ManifestInvalid(reason="annotations must map strings to strings")
    return value


def _parse_json(content: bytes) -> dict[str, Any]:
    # Four megabytes of `{}` would be a hundred of Python: counted before anything is built.
    if content.count(b"{") + content.count(b"[") > _MOST_NODES:
        raise ManifestInvalid(reason="too many objects and lists", limit=_MOST_NODES)
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_unambiguous, parse_constant=_no_constant)
    except RecursionError:
        raise ManifestInvalid(reason="nested too deeply") from None
    except ValueError as error:
        raise ManifestInvalid(reason=f"not JSON: {error}"[:200]) from None
    if not isinstance(document, dict):
        raise ManifestInvalid(reason="not a JSON object")
    if _is_deeper(document, DEEPEST):
        raise ManifestInvalid(reason="nested too deeply", limit=DEEPEST)
    return document


def _is_deeper(document: object, limit: int) -> bool:
    """Whether more than `limit` objects or lists stand inside one another; walks level by level, never by recursion."""
    level = [document]
    for _ in range(limit):
        level = [each for node in level for each in _inside(node) if isinstance(each, dict | list)]
        if not level:
            return False
    return True


def _inside(node: object) -> Iterable[object]:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ManifestInvalid(reason="a field stands twice in one object")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ManifestInvalid(reason=f"{name} is not JSON")
