"""What a transaction can be asked and told, noun by noun; `ports.Transaction` holds one of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from registry.core.facts import (
    Action,
    Caller,
    ContentKind,
    Credential,
    HashState,
    Interval,
    ObjectKey,
    Outcome,
    Repository,
    StoredBlob,
    UploadSession,
)
from registry.core.fsck_facts import ContentRow, Lack, Miscount, ObjectRow, Places, ProjectUsage
from registry.core.visible import Visible
from registry.core.witness import Sight
from registry.oci.digest import Digest
from registry.oci.manifest import Manifest, Reference
from registry.oci.names import RepositoryName, Tag


class Accounts(Protocol):
    """Who there is, what proves it, and the keys that sign for it."""

    def find(self, name: str) -> Caller | None:
        """The principal of this name, disabled or not: to act for it, ask for its credential."""
        ...

    def add(self, name: str, kind: str, *, is_admin: bool = False) -> Caller: ...
    def add_password(self, caller: Caller, secret: str) -> None:
        """A first password, hashed."""
        ...

    def rehash(self, credential: Credential, secret: str) -> None:
        """The same password under a better hash: still the same credential."""
        ...

    def signing_keys(self) -> Sequence[tuple[str, bytes]]:
        """Key ids with their sealed keys, oldest first."""
        ...

    def add_signing_key(self, kid: str, sealed: bytes, created: datetime, expires: datetime) -> None: ...


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


class Journal(Protocol):
    """What happened, and what is to be looked at later."""

    def event(
        self,
        action: Action,
        repository: Repository,
        caller: Caller,
        digest: Digest | None = None,
        reference: str = "",
        detail: str = "",
    ) -> None: ...
    def note(
        self, action: Action, caller: Caller, *, target: str = "", outcome: Outcome = Outcome.DONE, detail: str = ""
    ) -> None:
        """The same of what is done to no repository: `target` is a principal's name, or what else it was done to."""
        ...

    def tell(self, sight: Sight, ago: timedelta, times: int) -> None:
        """What was seen outside of any transaction, so long ago and so often."""
        ...

    def review(self, repository: Repository, kind: ContentKind, digest: Digest, due: datetime) -> None:
        """Have the collector decide about this content when `due` has passed."""
        ...


class Leases(Protocol):
    """Who does which background work (design §8)."""

    def take(self, name: str, holder: str, until: datetime) -> int | None:
        """The lease's fence, when nobody else has it by now: another number each time it changes hands."""
        ...

    def keep(self, name: str, fence: int, until: datetime) -> bool:
        """Put off its end; whether it is still ours."""
        ...

    def release(self, name: str, fence: int) -> None: ...


class Settings(Protocol):
    """What the database keeps for all processes under a name, as text; what an operator sets is elsewhere."""

    def find(self, name: str) -> str | None: ...
    def get_or_put(self, name: str, initial: str) -> str:
        """Its value; `initial` is kept when there was none."""
        ...

    def put(self, name: str, value: str) -> None: ...
    def remove(self, name: str) -> None:
        """From now on it has no value; to have had none is no error."""
        ...


class Inventory(Protocol):
    """Every row beside what names it, page by page in the order of ids: each page is one moment's (fsck)."""

    def count(self) -> tuple[int, int, int, int]:
        """Objects, contents and projects, about, and the last manifest's id."""
        ...

    def objects(self, after: int, limit: int) -> Sequence[ObjectRow]: ...
    def named(self, keys: Iterable[ObjectKey]) -> dict[ObjectKey, ObjectRow]:
        """The rows of these keys, those that have one."""
        ...

    def contents(self, after: int, limit: int) -> Sequence[ContentRow]: ...
    def blob(self, digest: Digest) -> ObjectRow | ContentRow | None:
        """Where the blob's bytes are, damaged or not; None when there is no such blob."""
        ...

    def lacks(self, after: int, until: int) -> Sequence[Lack]:
        """What visible manifests with these ids reference, and their repository does not serve; damaged it may be."""
        ...

    def content(self, digest: Digest) -> bytes | None: ...
    def places(self, kind: ContentKind, digest: Digest) -> Places:
        """Some of those who serve the blob, or the manifest, and of the tags that lead to it."""
        ...


class Remedies(Protocol):
    """Repairs of rows; each asks again whether what it repairs is still so, and says whether it was."""

    def own(self, key: ObjectKey) -> bool:
        """A doomed row takes a key that no row has, so that the sweeper deletes what lies there."""
        ...

    def doom_unnamed(self, object_id: int) -> bool:
        """Doom an object that neither a blob nor a session names."""
        ...

    def revive(self, object_id: int) -> bool:
        """Make live what a blob names."""
        ...

    def end_session(self, upload: int) -> bool:
        """Forget a session whose object is not receiving; that object stays as it is."""
        ...

    def heal(self, digest: Digest, key: ObjectKey) -> bool:
        """The bytes of this damaged blob, still in this object, were verified just now: serve it."""
        ...

    def heal_content(self, digest: Digest, content: bytes) -> bool:
        """Marked bytes in SQL, if they still are these, are right: serve the manifest, or the blob, that takes them."""
        ...

    def mark_content_damaged(self, digest: Digest, content: bytes) -> bool:
        """Bytes in SQL, if they still are these, are wrong: serve nothing from them until they are pushed again."""
        ...


class Usage(Protocol):
    """What projects are charged, and what they hold (design §4)."""

    def projects(self, after: int, limit: int) -> Sequence[ProjectUsage]:
        """In the order of ids, each with what one moment shows."""
        ...

    def miscounts(self, project: int, limit: int) -> Sequence[Miscount]:
        """Contents of the project that are charged otherwise than they are held, all as of one moment."""
        ...

    def relink(self, project: int, digest: Digest) -> int:
        """Link a blob again where manifests reference it without a link, never more often than is charged; how often.

        The charge is the proof: without it a reference may be to what the repository was never given.
        """
        ...

    def recount(self, project: int, kind: ContentKind, digest: Digest) -> None:
        """Charge the content for the links that there are."""
        ...

    def resum(self, project: int) -> None:
        """Set the project's counter to what it is charged; to be done last, for everybody waits for it."""
        ...
