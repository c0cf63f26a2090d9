"""Facts that pass between the rules and the drivers: what is known of a repository, a blob, an upload session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from registry.oci.digest import Digest
from registry.oci.names import RepositoryName

# Blobs up to this size live in SQL beside manifests: no file to open, half the cost to push (design §6).
SMALL = 4096


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Where a store keeps one object, `blobs/<2 hex>/<uuid>`: chosen once, never reused, no digest in it."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a principal, and by which credential it was recognised (None for anonymous and open)."""

    principal: int
    name: str
    is_admin: bool = False
    is_anonymous: bool = False
    credential: int | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential that is neither revoked nor expired, of a principal that is not disabled; `secret` is its hash."""

    id: int
    version: int
    secret: str
    caller: Caller


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that is not deleted; `is_pushed` once it has held a manifest."""

    id: int
    name: RepositoryName
    project: int
    is_pushed: bool = False


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest as it is served; the bytes are those that were pushed, empty where only the facts were asked for."""

    digest: Digest
    media_type: str
    size: int
    content: bytes


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob as one repository serves it: exactly one of `key` and `content` is set; size in bytes."""

    digest: Digest
    size: int
    key: ObjectKey | None
    content: bytes | None
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class HashState:
    """A hash that can be taken up again: of `algorithm`, over the session's first `offset` bytes.

    `state` is None where it could not be saved; `format` names the library's layout, so that no foreign one is loaded.
    """

    algorithm: str
    format: str
    state: bytes | None


@dataclass(frozen=True, slots=True)
class UploadSession:
    """An upload session as its row tells it; `offset` bytes are durable, whatever more the store may hold.

    `stored` is the store's own note of how it goes on from there.
    """

    id: int
    uuid: str
    repository: Repository
    principal: int
    epoch: int
    offset: int
    stored: str
    hash: HashState
    key: ObjectKey | None
    object: int | None
    finished: Digest | None


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest that names another as its subject, as the referrers API lists it."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None
    annotations: str


class ContentKind(StrEnum):
    """What a project is charged for once per digest (design §4); a blob and a manifest of one digest are two."""

    BLOB = "blob"
    MANIFEST = "manifest"


class Action(StrEnum):
    """What an event tells of."""

    PUSH_MANIFEST = "manifest.push"
    DELETE_MANIFEST = "manifest.delete"
    SET_TAG = "tag.set"
    DELETE_TAG = "tag.delete"
    PUSH_BLOB = "blob.push"
    MOUNT_BLOB = "blob.mount"
    DELETE_BLOB = "blob.delete"
    DAMAGED_BLOB = "blob.damaged"
