"""What the rules need of the outside: facts in SQL, bytes in a store.

A `Transaction` is handed to a function by `Metadata.transact` and holds one small port per noun. Such a function may be
run again from the start when the database asks for it, so it does nothing but read and write facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import BinaryIO, Protocol, Self, TypeVar

from registry.core.facts import (
    Action,
    Caller,
    ContentKind,
    Credential,
    HashState,
    ObjectKey,
    Referrer,
    Repository,
    StoredBlob,
    StoredManifest,
    UploadSession,
)
from registry.oci.digest import Digest
from registry.oci.manifest import Manifest, Reference
from registry.oci.names import RepositoryName, Tag

T = TypeVar("T")


class Metadata(Protocol):
    """Facts, in SQL."""

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction; durable when this returns. Replayed on busy, deadlock or a lost connection."""
        ...

    def observe(self, work: Callable[[Transaction], T]) -> T:
        """Run `work`, which only reads, outside any transaction: each statement sees what is committed by then."""
        ...


class Transaction(Protocol):
    """One transaction: its instant, by the database's clock, and the nouns it can ask."""

    @property
    def now(self) -> datetime:
        """The transaction's instant, aware UTC."""
        ...

    @property
    def accounts(self) -> Accounts: ...
    @property
    def repositories(self) -> Repositories: ...
    @property
    def uploads(self) -> Uploads: ...
    @property
    def objects(self) -> Objects: ...
    @property
    def blobs(self) -> Blobs: ...
    @property
    def links(self) -> Links: ...
    @property
    def manifests(self) -> Manifests: ...
    @property
    def tags(self) -> Tags: ...
    @property
    def journal(self) -> Journal: ...


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
    def setting(self, name: str, initial: str) -> str:
        """A value that the database keeps for all workers; `initial` is kept when there is none yet."""
        ...


class Repositories(Protocol):
    """Repositories and the projects that are charged for them."""

    def find(self, name: RepositoryName) -> Repository | None: ...
    def get_or_create(self, name: RepositoryName) -> Repository:
        """The repository, made with its project when this is the first push to it."""
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
        """Forget the session, and doom its object, if its epoch is still ours; whether it was."""
        ...

    def expired(self, limit: int) -> Sequence[UploadSession]:
        """Sessions past their expiry, oldest first."""
        ...


class Objects(Protocol):
    """Rows that own a storage key for life: receiving → live → doomed (design §2)."""

    def add(self, key: ObjectKey) -> int: ...
    def live(self, object_id: int, size: int) -> None: ...
    def doom(self, object_id: int) -> None: ...
    def doomed(self, before: datetime, limit: int) -> Sequence[tuple[int, ObjectKey]]: ...
    def forget(self, object_ids: Iterable[int]) -> None: ...


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
        """Set the lease of everything a manifest references, and have it reviewed when that ends."""
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
    def holders(self, repository: Repository, kind: ContentKind, digest: Digest) -> Sequence[Digest]:
        """Some of the visible manifests that reference it: as config or layer (a blob), or as child (a manifest)."""
        ...


class Tags(Protocol):
    """Live tags, and the history of what each was."""

    def find(self, repository: Repository, tag: Tag) -> Digest | None: ...
    def set(self, repository: Repository, tag: Tag, digest: Digest, by: Caller) -> bool:
        """Point the tag at a visible manifest; whether that changed anything."""
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
        self, action: Action, repository: Repository, caller: Caller, digest: Digest, reference: str = ""
    ) -> None: ...
    def review(self, repository: Repository, kind: ContentKind, digest: Digest, due: datetime) -> None:
        """Have the collector decide about this content when `due` has passed."""
        ...


class Reader(Protocol):
    """The pull path's lookups: on the event loop, one statement each (design §6)."""

    def version(self) -> int | None:
        """Another number after every commit, whoever made it; None where that cannot be had without waiting."""
        ...

    async def manifest(self, name: RepositoryName, reference: Tag | Digest) -> StoredManifest | None: ...
    async def manifest_facts(self, name: RepositoryName, reference: Tag | Digest) -> StoredManifest | None:
        """The same without the bytes, which a HEAD does not send."""
        ...

    async def blob(self, name: RepositoryName, digest: Digest) -> StoredBlob | None: ...
    async def knows(self, name: RepositoryName) -> bool: ...
    async def tags(self, name: RepositoryName, last: str, limit: int) -> Sequence[str]: ...
    async def catalog(self, last: str, limit: int) -> Sequence[str]: ...
    async def referrers(
        self, name: RepositoryName, subject: Digest, artifact_type: str | None, last: Digest | None, limit: int
    ) -> tuple[Sequence[Referrer], bool]:
        """Visible referrers in the order of their digests, after `last`, and whether there are more.

        At most `limit`, and only as many (but one) as are manifests of 4 MiB together: so what they say fits too.
        """
        ...


class Recognition(Protocol):
    """The two lookups by which each request's caller is recognised; asked every time, so what is revoked is gone."""

    async def password(self, name: str) -> Credential | None:
        """The password that this name may sign in with by now."""
        ...

    async def credential(self, credential_id: int) -> Credential | None:
        """The credential, if it is good by now."""
        ...


class Receiver(Protocol):
    """One request's writing to one object; a context manager that closes what it opened.

    Every change is made after asking `still_mine`, so that nothing of an earlier request's is mixed in: where that says
    no, another request has taken over the session, nothing is changed, and the answer is False.
    """

    @property
    def leftovers(self) -> ObjectKey | None:
        """What else the store keeps for the session, to be deleted once that has ended as a blob."""
        ...

    def append(self, chunks: Sequence[bytes]) -> bool:
        """Write behind what is there; all of it, or none. Raises: StorageFull."""
        ...

    def sync(self) -> str:
        """Make every byte appended so far survive a power cut. Raises: StorageFull.

        What the store needs to go on from here, in its own words; the session keeps it with the offset.
        """
        ...

    def cut(self, offset: int) -> bool:
        """Give back everything beyond the first `offset` bytes, which were acknowledged or are none."""
        ...

    def content(self) -> bytes | None:
        """Every byte, of an object small enough to move into SQL; None when it is not ours. Raises: ObjectLost."""
        ...

    def seal(self) -> bool:
        """The object is whole: from now on it can be read, and survives a power cut. Raises: ObjectLost, StorageFull.

        ObjectLost when the store holds other bytes than were appended. A sealed object may be past cutting.
        """
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ObjectStore(Protocol):
    """Bytes under opaque keys. Nobody reads a key before a row names it live, so nothing is ever renamed."""

    @property
    def is_prompt(self) -> bool:
        """Whether `size`, `open` and `pread` answer quickly enough for the event loop, as files do."""
        ...

    def receive(self, key: ObjectKey, offset: int, state: str, still_mine: Callable[[], bool]) -> Receiver | None:
        """Open for appending: waits for an earlier receiver's write to end, then cuts what lies beyond `offset`.

        `state` is what the last `sync` said, empty at the beginning. None when it is not ours any more.
        Raises: ObjectLost when fewer than `offset` bytes are there, StorageFull.
        """
        ...

    def size(self, key: ObjectKey) -> int | None:
        """In bytes; None when there is no such object."""
        ...

    def open(self, key: ObjectKey, start: int = 0) -> BinaryIO:
        """A stream from `start`, a real file where the store has one. Raises: ObjectLost."""
        ...

    def pread(self, key: ObjectKey, start: int, length: int) -> bytes:
        """A small part, quickly; shorter at the object's end. Raises: ObjectLost."""
        ...

    def url(self, key: ObjectKey) -> str | None:
        """Where a client can GET the object itself, for a while; None when it has to come through us."""
        ...

    def delete(self, keys: Iterable[ObjectKey]) -> None:
        """Forget the objects, and whatever was begun under their keys; those that are not there are no error."""
        ...


class ObjectLost(Exception):
    """The store does not hold what a row says it holds."""


class Hash(Protocol):
    """A digest in the making that can be saved and taken up again."""

    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...
    def save(self) -> HashState: ...


class Hashes(Protocol):
    """Makes hashes."""

    def new(self, algorithm: str) -> Hash: ...
    def load(self, state: HashState) -> Hash | None:
        """Take up a saved hash; None when this process cannot read it, and the bytes are to be read again."""
        ...
