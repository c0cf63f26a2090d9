"""Facts that pass between the rules and the drivers: what is known of a repository, a blob, an upload session."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from registry.core.rights import NONE, Grant, Rights
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


class CredentialKind(StrEnum):
    """What a credential is used as."""

    PASSWORD = "password"  # noqa: S105  the word for it
    # A personal access token, or the secret of a robot.
    TOKEN = "token"  # noqa: S105  the same
    # What a client keeps in place of a password (token specification, offline tokens).
    REFRESH = "refresh"
    # A browser that has signed in.
    SESSION = "session"
    # A password that a directory knows and we do not: it stands for a while after each time it was right there.
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a principal, and by which credential it was recognised (None for anonymous and open), from where.

    `rights` are the principal's as they are now; `limits` is what the credential may be used for at the most.
    """

    principal: int
    name: str
    is_admin: bool = False
    is_anonymous: bool = False
    credential: int | None = None
    rights: Rights = field(default=NONE, repr=False, compare=False)
    limits: Rights | None = field(default=None, repr=False)
    address: str = ""


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential that is neither revoked nor expired, of a principal that is neither either; `secret` is its hash.

    `generation` is that of all grants, read with it (design 7).
    """

    id: int
    version: int
    secret: str
    caller: Caller
    kind: CredentialKind = CredentialKind.PASSWORD
    expires: datetime | None = None
    generation: int = 0


class PrincipalKind(StrEnum):
    """What a principal is, as its name says too: `alice`, `@devs`, `team+ci`."""

    USER = "user"
    GROUP = "group"
    ROBOT = "robot"
    # Everybody, with a name and without: what grants call `anyone`.
    ANONYMOUS = "anonymous"
    # Who acts where authentication is off.
    OPEN = "open"


LOCAL: Final = "local"
"""The source of accounts that are made here."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, a group or a robot; `version` grows with each change.

    `source` says that there is such a one: `local`, or a source of sign-ins that calls it `external_id`.
    """

    id: int
    uuid: str
    kind: PrincipalKind
    name: str
    is_admin: bool
    source: str
    external_id: str | None
    description: str
    created: datetime
    disabled: datetime | None
    expires: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class ExternalIdentity:
    """Somebody as one source knows them. `subject` stays when the name changes, and is never given to another.

    `groups` are all there are now, `@` in front; they take the place of those of the last time (CVE-2025-23208).
    """

    source: str
    subject: str
    name: str
    groups: frozenset[str]
    is_admin: bool


@dataclass(frozen=True, slots=True)
class GivenGrant:
    """A grant as it stands, by whom it was given; `version` grows with each change."""

    grant: Grant
    created: datetime
    by: str
    version: int


@dataclass(frozen=True, slots=True)
class Secret:
    """What its owner, and an administrator, may see of a credential: never the secret itself.

    `hint` is its beginning, `limits` as in `core/rights`, `made_from` the address of whoever got it.
    """

    id: int
    uuid: str
    kind: CredentialKind
    label: str
    hint: str
    limits: str
    made_from: str
    created: datetime
    expires: datetime | None
    used: datetime | None


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository, by its row; `is_pushed` once it has held a manifest.

    `is_limited` where any quota is set at all, `is_counted` where one is of anything but bytes; whether one of them
    concerns it is asked when it grows.
    """

    id: int
    name: RepositoryName
    project: int
    is_pushed: bool = False
    is_limited: bool = field(default=False, compare=False)
    is_counted: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class DeletedRepository:
    """A repository that is deleted, under the name that it had; `uuid` tells it from others that had the same."""

    uuid: str
    repository: Repository
    deleted: datetime


@dataclass(frozen=True, slots=True)
class DeletedManifest:
    """A manifest that is deleted; its size is without what it references."""

    digest: Digest
    media_type: str
    size: int
    deleted: datetime


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


@dataclass(frozen=True, slots=True)
class Interval:
    """What a tag pointed to from `since` on, as `by` had set it; `ended` is None for the present."""

    digest: Digest
    since: datetime
    by: str
    ended: datetime | None
    ended_by: str

    def holds(self, instant: datetime) -> bool:
        """Whether the tag pointed there at that instant."""
        return self.since <= instant and (self.ended is None or instant < self.ended)


class ContentKind(StrEnum):
    """What a project is charged for once per digest (design §4); a blob and a manifest of one digest are two."""

    BLOB = "blob"
    MANIFEST = "manifest"


class Outcome(StrEnum):
    """How it ended, what an event tells of."""

    DONE = "done"
    # Who asked may not do it.
    DENIED = "denied"
    # Who asked is not who it says.
    FAILED = "failed"


class Action(StrEnum):
    """What an event tells of."""

    PUSH_MANIFEST = "manifest.push"
    DELETE_MANIFEST = "manifest.delete"
    RESTORE_MANIFEST = "manifest.restore"
    PURGE_MANIFEST = "manifest.purge"
    SET_TAG = "tag.set"
    DELETE_TAG = "tag.delete"
    PUSH_BLOB = "blob.push"
    MOUNT_BLOB = "blob.mount"
    DELETE_BLOB = "blob.delete"
    DAMAGED_BLOB = "blob.damaged"
    DELETE_REPOSITORY = "repository.delete"
    RESTORE_REPOSITORY = "repository.restore"
    PURGE_REPOSITORY = "repository.purge"
    HEALED_BLOB = "blob.healed"
    DAMAGED_MANIFEST = "manifest.damaged"
    HEALED_MANIFEST = "manifest.healed"
    GIVE_CREDENTIAL = "credential.give"
    REVOKE_CREDENTIAL = "credential.revoke"
    CHANGE_PASSWORD = "password.change"  # noqa: S105  the name of what happened
    SIGN_IN = "sign-in"
    ADD_PRINCIPAL = "principal.add"
    CHANGE_PRINCIPAL = "principal.change"
    REMOVE_PRINCIPAL = "principal.remove"
    EXPIRING_ROBOT = "robot.expiring"
    JOIN_GROUP = "group.join"
    LEAVE_GROUP = "group.leave"
    WARN_QUOTA = "quota.warn"
    PUT_QUOTA = "quota.put"
    OWN_PROJECT = "project.own"
    PUT_GRANT = "grant.put"
    REMOVE_GRANT = "grant.remove"
    PUT_RULE = "rule.put"
    REMOVE_RULE = "rule.remove"
    PAUSE_COLLECTOR = "collector.pause"
    RESUME_COLLECTOR = "collector.resume"
    RUN_COLLECTOR = "collector.run"
    # Whatever of that was refused; the target is the path.
    ADMINISTER = "administration"
    # More happened at once than is told of one by one.
    LOSE_EVENTS = "event.lose"
