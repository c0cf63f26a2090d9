"""What fsck is told: what a store holds, what the rows say of it, and what projects are charged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from registry.core.facts import ContentKind, ObjectKey
from registry.oci.digest import Digest


class HeldKind(StrEnum):
    """What a store can hold."""

    OBJECT = "object"
    TAIL = "tail"
    MULTIPART = "multipart upload"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Held:
    """One thing in a store, by its name there; `changed` is by the store's clock, the size of a multipart unknown.

    `key` is the object that it belongs to, and `owner` the key whose doomed row has it deleted; None for what is
    foreign to us.
    """

    kind: HeldKind
    name: str
    size: int
    changed: datetime
    key: ObjectKey | None = None
    owner: ObjectKey | None = None
    upload: str = ""


class ObjectState(StrEnum):
    """Of the row that owns a storage key (design §2)."""

    RECEIVING = "receiving"
    LIVE = "live"
    DOOMED = "doomed"


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """An object's row with the blob (`size` is its) and the upload session (`stored` is its note) that name it."""

    id: int
    key: ObjectKey
    state: ObjectState
    digest: Digest | None = None
    size: int = 0
    is_damaged: bool = False
    upload: int | None = None
    stored: str = ""

    @property
    def is_served(self) -> bool:
        """Whether a blob takes its bytes from here, and nobody has found them wrong."""
        return self.state is ObjectState.LIVE and self.digest is not None and not self.is_damaged


@dataclass(frozen=True, slots=True)
class ContentRow:
    """Bytes that live in SQL, under the name that they should have; `is_blob` when a blob takes them.

    Those of a manifest may be marked damaged as those of a blob.
    """

    id: int
    digest: Digest
    content: bytes
    is_blob: bool
    is_damaged: bool


@dataclass(frozen=True, slots=True)
class Lack:
    """A manifest that is served, and something that it references and its repository does not serve."""

    repository: str
    manifest: Digest
    media_type: str
    part: Digest


@dataclass(frozen=True, slots=True)
class Places:
    """Who serves a blob and which tags lead to it: `repository`, `repository:tag`; `more` when these are not all."""

    repositories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    more: bool = False


NOWHERE: Final = Places()


@dataclass(frozen=True, slots=True)
class ProjectUsage:
    """A project's counter beside the sum that it should be."""

    id: int
    name: str
    used: int
    owed: int


@dataclass(frozen=True, slots=True)
class Miscount:
    """A content that a project is charged for otherwise than it holds it: in links, or in bytes."""

    kind: ContentKind
    digest: Digest
    counted: int
    held: int
    charged: int
    size: int
