"""What a transaction can be asked and told of what is pushed: repositories, sessions, bytes, manifests and tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from registry.core.facts import (
    Caller,
    ContentKind,
    HashState,
    Interval,
    ObjectKey,
    Repository,
    StoredBlob,
    UploadSession,
)
from registry.core.visible import Visible
from registry.oci.digest import Digest
from registry.oci.manifest import Manifest, Reference
from registry.oci.names import RepositoryName, Tag


class Repositories(Protocol):
    """Repositories and the projects that are charged for them."""

    def find(self, name: RepositoryName) -> Repository | None: ...
    def get_or_create(self, name: RepositoryName, by: Caller | None = None) -> Repository:
        """The repository, made with its project when this is the first push to it; a user owns what it makes so."""
        ...

    def page(self, visible: Visible, last: str, limit: int, words: str = "") -> Sequence[str]:
        """Names of those visible that hold a manifest, by their bytes, after `last`; with `words` in them."""
        ...

    def charge(self, repository: Repository, kind: ContentKind, digest: Digest, size: int) -> None:
        """One more link of the project to this content; its size is charged with the first (design §4)."""
        ...


class Uploads(Protocol):
    """Upload sessions (design §5)."""

    def add(self, uuid: str, repository: Repository, caller: Caller, algorithm: str, expires: datetime) -> None: ...
    def find(self, name: RepositoryName, uuid: str) -> UploadSession | None:
        """The session, if it belongs to this repository; finished ones too."""
        ...

    def epoch(self, session: UploadSession) -> int | None:
        """Its epoch by now; None when the session is gone."""
        ...

    def take_over(self, session: UploadSession, expires: datetime) -> int:
        """Bump the epoch, so that no earlier request writes any more, and put off the expiry; the new epoch."""
        ...

    def attach(self, session: UploadSession, object_id: int) -> None:
        """From now on the session's bytes go to this object."""
        ...

    def acknowledge(
        self, session: UploadSession, offset: int, stored: str, state: HashState, expires: datetime
    ) -> bool:
        """Set what is durable, and how the store goes on, if the session's epoch is still ours; whether it was."""
        ...

    def finish(self, session: UploadSession, digest: Digest, keep_until: datetime) -> bool:
        """End the session as committed, if it is open and its epoch is still ours; whether it was."""
        ...

    def remove(self, session: UploadSession) -> bool:
        """Forget it, doom its object and give back what it reserved, if its epoch is still ours; whether it was."""
        ...

    def expired(self, limit: int) -> Sequence[UploadSession]:
        """Sessions past their expiry, oldest first."""
        ...


class Objects(Protocol):
    """Rows that own a storage key for life: receiving → live → doomed (design §2)."""

    def add(self, key: ObjectKey) -> int: ...
    def live(self, object_id: int, size: int) -> None: ...
    def doom(self, object_id: int) -> None: ...
    def doom_all(self, object_ids: Iterable[int]) -> None: ...
    def doomed(self, before: datetime, limit: int) -> Sequence[tuple[int, ObjectKey]]: ...
    def forget(self, object_ids: Iterable[int]) -> int:
        """Those that are doomed; their bytes, as far as they were known."""
        ...


class Blobs(Protocol):
    """Blobs by digest, over all repositories."""

    def put_object(self, digest: Digest, size: int, object_id: int) -> int:
        """The blob is these verified bytes from now on; its former object doomed, any damage healed. The blob's id."""
        ...

    def put_content(self, digest: Digest, content: bytes) -> int:
        """The same for a small blob kept in SQL."""
        ...

    def mark_damaged(self, digest: Digest, key: ObjectKey) -> bool:
        """Serve it no more, if it is still this object; whether it was."""
        ...


class Links(Protocol):
    """Which repositories serve which blobs, and until when a link holds by its lease alone (design §3)."""

    def find(self, repository: Repository, digest: Digest) -> StoredBlob | None:
        """What the repository serves under this digest; None also when damaged."""
        ...

    def find_anywhere(self, digest: Digest, readable: Callable[[RepositoryName], bool]) -> RepositoryName | None:
        """The first repository by name that serves the blob and satisfies `readable`."""
        ...

    def put(self, repository: Repository, digest: Digest, lease: timedelta) -> bool:
        """Link the blob, or make its link visible again, with a fresh lease; whether the link is new."""
        ...

    def renew(self, repository: Repository, digest: Digest, lease: timedelta) -> bool:
        """Set the lease of a visible link; whether there is one."""
        ...

    def renew_parts(self, repository: Repository, manifest: Digest, lease: timedelta) -> None:
        """Set the lease of every blob that a manifest references."""
        ...

    def review_parts(self, repository: Repository, manifest: Digest, lease: timedelta) -> None:
        """Have them reviewed when that lease ends."""
        ...

    def hide(self, repository: Repository, digest: Digest) -> bool:
        """Make the link invisible; whether it was visible."""
        ...


class Manifests(Protocol):
    """Manifests of a repository; a deleted one keeps its row and references until its undo window ends."""

    def find(self, repository: Repository, reference: Tag | Digest) -> Digest | None: ...
    def put(self, repository: Repository, digest: Digest, content: bytes, manifest: Manifest, by: Caller) -> bool:
        """Keep the manifest and its references, or revive the deleted one; whether its row is new."""
        ...

    def missing(self, repository: Repository, parts: Sequence[Reference]) -> Sequence[Digest]:
        """Those of the parts that the repository does not serve; holds the others until the transaction ends."""
        ...

    def delete(self, repository: Repository, digest: Digest) -> bool: ...
    def parts(self, repository: Repository, digest: Digest) -> Sequence[Reference]:
        """What the manifest, deleted or not, references: config, layers and children."""
        ...

    def hold_deleted(self, repository: Repository, digest: Digest) -> datetime | None:
        """When it was deleted, and it stays so until the transaction ends; None where it is visible, or not there."""
        ...

    def revive(self, repository: Repository, digest: Digest) -> None:
        """Serve a deleted one again."""
        ...

    def holders(self, repository: Repository, kind: ContentKind, digest: Digest) -> Sequence[Digest]:
        """Some of the visible manifests that reference it: as config or layer (a blob), or as child (a manifest)."""
        ...


class Tags(Protocol):
    """Live tags, and the history of what each was."""

    def find(self, repository: Repository, tag: Tag) -> Digest | None: ...
    def set(
        self,
        repository: Repository,
        tag: Tag,
        digest: Digest,
        by: Caller,
        *,
        before_moving: Callable[[], None] | None = None,
    ) -> bool:
        """Point the tag at a visible manifest; whether that changed anything.

        `before_moving` is called when it is there, held, and points elsewhere; it raises what speaks against that.
        """
        ...

    def history(self, repository: Repository, tag: Tag) -> Sequence[Interval]:
        """The latest first, the present included."""
        ...

    def close(self, repository: Repository, tag: Tag, by: Caller) -> Digest | None:
        """End the tag's present interval; what it pointed to, None when there was no such tag."""
        ...

    def close_all(self, repository: Repository, digest: Digest, by: Caller) -> Sequence[Tag]:
        """End every tag that points to this manifest."""
        ...
