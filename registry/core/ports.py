"""What the rules need of the outside: facts in SQL, bytes in a store.

A `Transaction` is handed to a function by `Metadata.transact` and holds one small port per noun (`nouns`). Such a
function may be run again from the start when the database asks for it, so it does nothing but read and write facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import BinaryIO, Protocol, Self, TypeVar

from registry.core.facts import Credential, HashState, ObjectKey, Referrer, StoredBlob, StoredManifest
from registry.core.fsck_facts import Held
from registry.core.nouns.audit import Events, Seals
from registry.core.nouns.collecting import Collection, CollectorRuns, DeletedManifests, Outlook, Reviews
from registry.core.nouns.content import Blobs, Links, Manifests, Objects, Repositories, Tags, Uploads
from registry.core.nouns.deletion import Deletions, Dissolution
from registry.core.nouns.fsck import Inventory, Remedies, Usage
from registry.core.nouns.holdings import Holdings
from registry.core.nouns.housekeeping import Journal, Leases, Settings
from registry.core.nouns.people import Accounts, Credentials, Grants, People, Throttles
from registry.core.nouns.quota import Allowances, Explained, Projects, Quotas, Reservations
from registry.core.nouns.retention import Pulls, Standings, TagRules
from registry.core.nouns.scrubbing import Scrubbing
from registry.core.rights import Rights
from registry.core.visible import ALL_VISIBLE, Visible
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag

T = TypeVar("T")


class Metadata(Protocol):
    """Facts, in SQL."""

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction; durable when this returns. Replayed on busy, deadlock or a lost connection.

        Raises: Contradicted, and what `work` raises; QuotaExceeded when what it adds to a project is too much.
        """
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
    def people(self) -> People: ...
    @property
    def grants(self) -> Grants: ...
    @property
    def credentials(self) -> Credentials: ...
    @property
    def throttles(self) -> Throttles: ...
    @property
    def repositories(self) -> Repositories: ...
    @property
    def uploads(self) -> Uploads: ...
    @property
    def reservations(self) -> Reservations: ...
    @property
    def quotas(self) -> Quotas: ...
    @property
    def allowances(self) -> Allowances: ...
    @property
    def projects(self) -> Projects: ...
    @property
    def explained(self) -> Explained: ...
    @property
    def notices(self) -> Sequence[str]:
        """What is to be told of soft limits: known by the time that the transaction is durable, not before."""
        ...

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
    @property
    def events(self) -> Events: ...
    @property
    def seals(self) -> Seals: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def inventory(self) -> Inventory: ...
    @property
    def remedies(self) -> Remedies: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def reviews(self) -> Reviews: ...
    @property
    def scrubbing(self) -> Scrubbing: ...
    @property
    def collection(self) -> Collection: ...
    @property
    def deleted_manifests(self) -> DeletedManifests: ...
    @property
    def collector_runs(self) -> CollectorRuns: ...
    @property
    def outlook(self) -> Outlook: ...
    @property
    def deletions(self) -> Deletions: ...
    @property
    def holdings(self) -> Holdings: ...
    @property
    def dissolution(self) -> Dissolution: ...
    @property
    def pulls(self) -> Pulls: ...
    @property
    def standings(self) -> Standings: ...
    @property
    def tag_rules(self) -> TagRules: ...


class Reader(Protocol):
    """The pull path's lookups: on the event loop, one statement each (design §6)."""

    @property
    def is_prompt(self) -> bool:
        """Whether its answers never wait, so that they can be had outside of any task."""
        ...

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
    async def catalog(self, last: str, limit: int, visible: Visible = ALL_VISIBLE) -> Sequence[str]: ...
    async def referrers(
        self, name: RepositoryName, subject: Digest, artifact_type: str | None, last: Digest | None, limit: int
    ) -> tuple[Sequence[Referrer], bool]:
        """Visible referrers in the order of their digests, after `last`, and whether there are more.

        At most `limit`, and only as many (but one) as are manifests of 4 MiB together: so what they say fits too.
        """
        ...


class Recognition(Protocol):
    """The lookups by which each request's caller is recognised; asked every time, so what is revoked is gone."""

    async def password(self, name: str) -> Credential | None:
        """The password that this name may sign in with by now."""
        ...

    async def credential(self, credential_id: int) -> Credential | None:
        """The credential, if it is good by now."""
        ...

    async def hashed(self, secret: str) -> Credential | None:
        """The credential that we made ourselves and that has this hash, if it is good by now; no password."""
        ...

    async def generation(self) -> int:
        """Another number after every change of a grant, a membership or a principal (design 7)."""
        ...

    async def rights(self, principal: int) -> Rights:
        """All grants to the principal, to its groups and to everybody, as they are now or later."""
        ...

    def version(self) -> int | None:
        """As `Reader.version`."""
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

    @property
    def least_chunk(self) -> int:
        """Bytes below which an acknowledged chunk costs the store more than its bytes; 0 where it does not matter."""
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
        """A stream from `start`, a real file where the store has one, else maybe a `Lender`. Raises: ObjectLost."""
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


class StoreInventory(Protocol):
    """What a store holds, whoever knows of it: for who compares it with the rows."""

    def pages(self) -> Iterator[Sequence[Held]]:
        """Everything, at most 1000 at a time; of what comes or goes meanwhile, some."""
        ...

    def holds(self, held: Held) -> bool:
        """Whether it is still there."""
        ...

    def is_needed(self, held: Held, stored: str) -> bool:
        """Whether a session for this key, open with the store's note `stored`, may go on with it or ends with it."""
        ...

    def keep(self, key: ObjectKey) -> None:
        """Make an object survive a power cut, whoever wrote it. Raises: ObjectLost."""
        ...

    def abort(self, held: Held) -> None:
        """Give back what was sent to one multipart upload; nobody completes it any more."""
        ...


class Contradicted(Exception):
    """What a function wants to write contradicts what is there, however often it is run again."""


class ObjectLost(Exception):
    """The store does not hold what a row says it holds."""


class Unreadable(Exception):
    """The store holds it, and its medium does not give the bytes: for a moment, or for good."""


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
